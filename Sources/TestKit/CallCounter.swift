import Foundation
import TestSupport

/// The calls for memory and to sockets that a process makes, counted in it by a library that is loaded before all others.
///
/// Unlike times they are the same on a slow machine and on a quick one.
package struct CallCounter: Sendable {
    package struct Counts: Sendable {
        /// malloc(3), calloc(3), realloc(3) and their kin.
        package var allocations = 0
        /// write(2), send(2) and their kin.
        package var writes = 0
        /// read(2), recv(2) and their kin.
        package var reads = 0
        /// getrandom(2), however it is asked for.
        package var randoms = 0

        package static func - (after: Counts, before: Counts) -> Counts {
            Counts(
                allocations: after.allocations - before.allocations, writes: after.writes - before.writes,
                reads: after.reads - before.reads, randoms: after.randoms - before.randoms)
        }
    }

    private let path: String

    /// A counter for one process.
    package init() throws {
        path = FileManager.default.temporaryDirectory.path + "/calls-\(UUID().uuidString.prefix(13))"
        try Data(count: CallCounter.bytes).write(to: URL(fileURLWithPath: path))
    }

    /// What the process is to be started with.
    package var environment: [String: String] {
        get throws { ["LD_PRELOAD": try CallCounter.library.get(), "CALL_COUNTS": path] }
    }

    /// The calls so far.
    package var counts: Counts {
        get throws {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard data.count == CallCounter.bytes else {
                throw NeverHappened(description: "\(path) is not as expected")
            }
            let numbers = data.withUnsafeBytes { Array($0.bindMemory(to: Int.self)) }
            return Counts(allocations: numbers[0], writes: numbers[1], reads: numbers[2], randoms: numbers[3])
        }
    }

    /// Once the process has ended.
    package func remove() {
        try? FileManager.default.removeItem(atPath: path)  // A second time finds none.
    }

    private static let bytes = 4 * MemoryLayout<Int>.stride

    /// Compiled once for each run of the tests.
    private static let library = Result { try PreloadedLibrary.compile(source, called: "call-counter") }

    private static let source = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/random.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <unistd.h>

        enum { ALLOCATIONS, WRITES, READS, RANDOMS, KINDS };
        static long none[KINDS], *counts = none;

        __attribute__((constructor)) static void begin(void) {
          const char *path = getenv("CALL_COUNTS");
          int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
          void *page = file < 0 ? MAP_FAILED : mmap(0, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
          if (page != MAP_FAILED) counts = page;
        }

        static void count(int kind) { __atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED); }

        extern void *__libc_malloc(size_t);
        extern void *__libc_calloc(size_t, size_t);
        extern void *__libc_realloc(void *, size_t);
        extern void *__libc_memalign(size_t, size_t);

        void *malloc(size_t size) { count(ALLOCATIONS); return __libc_malloc(size); }
        void *calloc(size_t number, size_t size) { count(ALLOCATIONS); return __libc_calloc(number, size); }
        void *realloc(void *old, size_t size) { count(ALLOCATIONS); return __libc_realloc(old, size); }
        void *aligned_alloc(size_t at, size_t size) { count(ALLOCATIONS); return __libc_memalign(at, size); }
        int posix_memalign(void **place, size_t at, size_t size) {
          count(ALLOCATIONS);
          *place = __libc_memalign(at, size);
          return *place ? 0 : ENOMEM;
        }

        ssize_t write(int file, const void *bytes, size_t size) {
          count(WRITES);
          return syscall(SYS_write, file, bytes, size);
        }
        ssize_t writev(int file, const struct iovec *parts, int number) {
          count(WRITES);
          return syscall(SYS_writev, file, parts, number);
        }
        ssize_t send(int socket, const void *bytes, size_t size, int flags) {
          count(WRITES);
          return syscall(SYS_sendto, socket, bytes, size, flags, NULL, 0);
        }
        ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
          count(WRITES);
          return syscall(SYS_sendmsg, socket, message, flags);
        }
        ssize_t read(int file, void *bytes, size_t size) {
          count(READS);
          return syscall(SYS_read, file, bytes, size);
        }
        ssize_t recv(int socket, void *bytes, size_t size, int flags) {
          count(READS);
          return syscall(SYS_recvfrom, socket, bytes, size, flags, NULL, NULL);
        }
        ssize_t recvmsg(int socket, struct msghdr *message, int flags) {
          count(READS);
          return syscall(SYS_recvmsg, socket, message, flags);
        }
        ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
          count(RANDOMS);
          return syscall(SYS_getrandom, bytes, size, flags);
        }
        int getentropy(void *bytes, size_t size) {
          return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1;
        }
        """
}
