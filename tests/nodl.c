/*
 * nodl.c - for make SAN=1 alone: libraries stay loaded, so that the leak sanitizer can name them
 *
 * MPI closes its plug-ins before the sanitizer looks; what they hold would be blamed on nobody.
 */
int dlclose(void *handle);

int dlclose(void *handle)
{
  (void)handle;
  return 0;
}
