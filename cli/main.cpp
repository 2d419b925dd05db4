#include "cli/commands.h"

int main(int argc, char** argv) { return fade::run_command_line(argc, argv); }
