#ifndef CTHREADS_H
#define CTHREADS_H

/// A runtime's worker thread, started at the priority of whoever waits for it: on Apple threads do not inherit theirs.
/// `counter`, an int or null, counts the threads that began. Null if the system refuses another thread.
void *cthreads_start(void *counter, void (*work)(void *), void *argument);

/// Waits until the thread is over and forgets it.
void cthreads_join(void *thread);

/// Sets the calling thread to the priority of what a user waits for; does nothing on Linux. Matches a runtime's callbacks.
void cthreads_raise(void);

#endif
