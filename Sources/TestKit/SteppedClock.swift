import Foundation

/// A wall clock that steps while a process runs: a library of our own, loaded into it before all others, adds what a file
/// says; the monotonic clock stays right.
///
/// libfaketime does the same for nodes; redis-server's allocator asks for the time before that is ready, and both hang.
enum SteppedClock {
    /// What a process is to be started with whose clock is off by the seconds that this file holds.
    static func environment(readFrom path: String) throws -> [String: String] {
        ["LD_PRELOAD": try library.get(), "STEPPED_CLOCK": path]
    }

    /// Takes effect at once for whoever reads the file.
    static func set(_ path: String, off: Duration) throws {
        var seconds = off.components.seconds
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        guard pwrite(file, &seconds, 8, 0) == 8 else {
            throw WrongClock.Failure(description: "\(path) could not be written")
        }
    }

    /// Compiled once for each run of the tests.
    private static let library = Result { try PreloadedLibrary.compile(source, called: "stepped-clock") }

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static const volatile long long *off;

        __attribute__((constructor)) static void begin(void) {
          const char *path = getenv("STEPPED_CLOCK");
          int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
          void *page = file < 0 ? MAP_FAILED : mmap(0, sizeof *off, PROT_READ, MAP_SHARED, file, 0);
          if (page != MAP_FAILED) off = page;
        }

        int clock_gettime(clockid_t clock, struct timespec *time) {
          int result = syscall(SYS_clock_gettime, clock, time);
          if (off && result == 0 && clock == CLOCK_REALTIME) time->tv_sec += *off;
          return result;
        }

        int gettimeofday(struct timeval *restrict time, void *restrict zone) {
          struct timespec now;
          (void)zone;
          if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
          time->tv_sec = now.tv_sec;
          time->tv_usec = now.tv_nsec / 1000;
          return 0;
        }

        time_t time(time_t *seconds) {
          struct timespec now;
          clock_gettime(CLOCK_REALTIME, &now);
          if (seconds) *seconds = now.tv_sec;
          return now.tv_sec;
        }
        """
}
