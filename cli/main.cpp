#include "cli/commands.h"
#include "engine/io/standard_streams.h"

int main(int argc, char** argv) {
  fade::init_standard_streams();
  return fade::run_command_line(argc, argv);
}
