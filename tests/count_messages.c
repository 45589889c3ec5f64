/*
 * count_messages.c - a preloaded library that counts what a process sends by MPI, message by message
 *
 * At MPI_Finalize each rank writes "messages bytes" to the file COUNT_MESSAGES.<rank>.  Only MPI_Send,
 * MPI_Isend and persistent sends count, not what collectives send inside; messages of a rank to itself
 * do not.  Two runs that differ by ten steps differ by what ten steps send.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_KEPT = 1 << 16 };

static struct {
  MPI_Request request;
  long bytes;
} kept[MAX_KEPT]; /* persistent sends, started again and again under the same handle */
static int n_kept;
static long messages, total;

/* Bytes of a message, -1 if it goes nowhere else. */
static long bytes_of(int count, MPI_Datatype type, int to, MPI_Comm comm)
{
  MPI_Group mine, world;
  int rank, peer, size;

  if (to < 0) return -1;
  PMPI_Comm_group(comm, &mine);
  PMPI_Comm_group(MPI_COMM_WORLD, &world);
  PMPI_Group_translate_ranks(mine, 1, &to, world, &peer);
  PMPI_Group_free(&mine);
  PMPI_Group_free(&world);
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  PMPI_Type_size(type, &size);
  return peer == rank ? -1 : (long)count * size;
}

static void add(long bytes)
{
  if (bytes < 0) return;
  messages++;
  total += bytes;
}

static void start(MPI_Request request)
{
  for (int i = n_kept - 1; i >= 0; i--)
    if (kept[i].request == request) {
      add(kept[i].bytes);
      return;
    }
}

int MPI_Send(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
  add(bytes_of(count, type, to, comm));
  return PMPI_Send(buffer, count, type, to, tag, comm);
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
  add(bytes_of(count, type, to, comm));
  return PMPI_Isend(buffer, count, type, to, tag, comm, request);
}

int MPI_Send_init(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
  const int code = PMPI_Send_init(buffer, count, type, to, tag, comm, request);

  if (n_kept == MAX_KEPT) abort();
  kept[n_kept].request = *request;
  kept[n_kept++].bytes = bytes_of(count, type, to, comm);
  return code;
}

/* A freed handle may come again as one of a receive. */
int MPI_Request_free(MPI_Request *request)
{
  for (int i = 0; i < n_kept; i++)
    if (kept[i].request == *request) kept[i--] = kept[--n_kept];
  return PMPI_Request_free(request);
}

int MPI_Start(MPI_Request *request)
{
  start(*request);
  return PMPI_Start(request);
}

int MPI_Startall(int n, MPI_Request request[])
{
  for (int i = 0; i < n; i++) start(request[i]);
  return PMPI_Startall(n, request);
}

int MPI_Finalize(void)
{
  char path[4096];
  FILE *f;
  int rank;

  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  snprintf(path, sizeof path, "%s.%d", getenv("COUNT_MESSAGES"), rank);
  f = fopen(path, "w");
  if (!f || fprintf(f, "%ld %ld\n", messages, total) < 0 || fclose(f)) abort();
  return PMPI_Finalize();
}
