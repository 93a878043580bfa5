/// Walks through the input as a JSON text in two ways that must agree, and takes all that it can out of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // A copy just as long as the text, so that a byte read beyond it is noticed.
    let text = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { text.deallocate() }
    text.copyMemory(from: UnsafeRawBufferPointer(start: data, count: count))
    let bytes = UnsafeRawBufferPointer(text)
    // What the time is spent on in earnest: each name compared with a dozen, escapes and all.
    requireCheap(count) { compareNames(bytes) }
    let skipped = Result { () throws(JSONError) in try skip(bytes) }
    let walked = Result { () throws(JSONError) in try walk(bytes) }
    switch (skipped, walked) {
    case (.success, .success): break
    case (.failure(let one), .failure(let other)):
        require(one == other, "two errors for one text")
        require(one.offset <= count, "an error beyond the text")
    case (.success, .failure), (.failure, .success): fatalError("two judgements of one text")
    }
    return 0
}

/// Passes over the text in one step.
private func skip(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
    var scanner = JSONScanner(bytes)
    let value = try scanner.value(upTo: JSONScanner.maxTextDepth)
    try scanner.end()
    require(isInside(value.bytes, bytes), "a value beyond the text")
    // A value stands by itself.
    var again = JSONScanner(value.bytes)
    require(
        (try? again.value(upTo: JSONScanner.maxTextDepth))?.bytes.count == value.bytes.count,
        "a value that is none by itself")
}

/// Passes over the fields of an object as a request's are: sixty-four at most, and a dozen names that are looked for.
private func compareNames(_ bytes: UnsafeRawBufferPointer) {
    var scanner = JSONScanner(bytes)
    var left = 64
    do throws(JSONError) {
        var key = try scanner.firstKey()
        while let name = key, left > 0 {
            left -= 1
            for wanted in names { _ = name.equals(wanted) }
            _ = try scanner.value()
            key = try scanner.nextKey()
        }
    } catch {
        // An error may take as long as anything, and no longer.
    }
}

private let names: [StaticString] = [
    "type", "id", "roomId", "msgType", "payload", "dedupe", "before", "after", "limit", "token", "since", "users", "to",
    "cursor",
]

/// Enters every object and array.
private func walk(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
    var scanner = JSONScanner(bytes)
    try walkValue(&scanner, bytes)
    try scanner.end()
}

private func walkValue(_ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer) throws(JSONError) {
    if scanner.isAtObject() {
        var key = try scanner.firstKey()
        while let present = key {
            require(isInside(present.contents, bytes), "a key beyond the text")
            _ = present.text
            _ = present.equals("payload")
            try walkValue(&scanner, bytes)
            key = try scanner.nextKey()
        }
    } else if scanner.offset < bytes.count, bytes[scanner.offset] == UInt8(ascii: "[") {
        var hasMore = try scanner.firstElement()
        while hasMore {
            try walkValue(&scanner, bytes)
            hasMore = try scanner.nextElement()
        }
    } else {
        let value = try scanner.value()
        require(isInside(value.bytes, bytes), "a value beyond the text")
        if let string = value.string {
            _ = string.text
            _ = string.equals("message")
        }
        _ = value.integer
        _ = value.boolean
    }
}

private func isInside(_ part: UnsafeRawBufferPointer, _ whole: UnsafeRawBufferPointer) -> Bool {
    guard let start = part.baseAddress, let first = whole.baseAddress else { return part.isEmpty }
    return start >= first && start + part.count <= first + whole.count
}
