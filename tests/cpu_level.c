/*
 * cpu_level.c - a program linked with this takes the clones (DUAL_CLONES) of CPU_LEVEL, not the widest
 *
 * It stands in for libgcc's cpuinfo.o, which the clones' resolvers ask what the machine has.  With
 * CLONE_FILE set, the offset of the epidemic_press() in force is written there: nm tells its name.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct {
  unsigned vendor, type, subtype, features;
} __cpu_model __attribute__((visibility("hidden")));
unsigned __cpu_features2[32] __attribute__((visibility("hidden")));

/* Sets the one bit that stands for CPU_LEVEL.  Called before the program is relocated. */
int __attribute__((visibility("hidden"))) __cpu_indicator_init(void)
{
#ifdef CPU_LEVEL
  unsigned *const word[] = {&__cpu_model.features, &__cpu_features2[0], &__cpu_features2[1],
                            &__cpu_features2[2], &__cpu_features2[3]};

  for (int w = 0; w < 5; w++)
    for (int bit = 0; bit < 32; bit++) {
      *word[w] = 1u << bit;
      __asm__ volatile("" ::: "memory");
      if (__builtin_cpu_supports(CPU_LEVEL)) return 0;
      *word[w] = 0;
    }
#endif
  return 0;
}

extern const char __executable_start[];
void epidemic_press(void *, double, double);

__attribute__((constructor)) static void tell(void)
{
  void (*volatile press)(void *, double, double) = epidemic_press;
  const char *path = getenv("CLONE_FILE");
  FILE *f = path ? fopen(path, "w") : NULL;

  if (!f) return;
  fprintf(f, "%lx\n", (unsigned long)((uintptr_t)press - (uintptr_t)__executable_start));
  fclose(f);
}
