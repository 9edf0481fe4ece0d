#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

/// Calls of malloc, calloc and realloc by the calling thread so far. -1 where they cannot be counted.
long callocations_count(void);

#endif
