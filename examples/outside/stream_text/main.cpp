// Text from a trained model, each byte as soon as it is sampled.
//   stream_text CHECKPOINT [PROMPT]      CHECKPOINT: the directory of a run, or of one of its checkpoints
#include <fade/train.h>

#include <cstdio>

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::fprintf(stderr, "stream_text CHECKPOINT [PROMPT]\n");
    return 2;
  }
  try {
    const fade::LoadedModel loaded = fade::load_model(arguments[1]);
    fade::generate(*loaded.model, count == 3 ? arguments[2] : "", {.bytes = 200}, [](char byte) {
      std::putchar(byte);
      std::fflush(stdout);
    });
    std::putchar('\n');
  } catch (const fade::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
