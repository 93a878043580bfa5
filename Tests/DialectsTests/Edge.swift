#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Memory that ends with a page nobody may touch: one byte read too far ends the test run.
enum Edge {
    static func with<Answer, Failure: Error>(
        _ content: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let page = Int(getpagesize())
        let size = (content.count + page - 1) / page * page
        guard let memory = mmap(nil, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED, mprotect(memory + size, page, PROT_NONE) == 0
        else { fatalError("no memory to test in") }
        defer { munmap(memory, size + page) }
        let start = memory + (size - content.count)
        content.withUnsafeBytes {
            start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: $0.count)
        }
        return try body(UnsafeRawBufferPointer(start: start, count: content.count))
    }
}
