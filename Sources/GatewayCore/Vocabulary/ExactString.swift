/// A string compared byte for byte: `é` written as one scalar and as two are different names.
///
/// Swift's own `String` compares by canonical equivalence, under which two users could share one identity.
package struct ExactString: Hashable, Sendable {
    package let value: String

    package init(_ value: String) {
        self.value = value
    }

    package static func == (left: ExactString, right: ExactString) -> Bool {
        guard left.value.utf8.count == right.value.utf8.count else { return false }
        var other = right.value
        return other.withUTF8 { left.value.hasBytes(UnsafeRawBufferPointer($0)) }
    }

    package func hash(into hasher: inout Hasher) {
        var value = value
        value.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension String {
    /// Whether its UTF-8 is just these bytes.
    package func hasBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var own = self
        return own.withUTF8 { UnsafeRawBufferPointer($0).isSame(as: bytes) }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether both hold the same bytes, compared eight at a time.
    package func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        var place = 0
        while place + 8 <= count {
            guard
                loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    == other.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            else { return false }
            place += 8
        }
        while place < count {
            guard self[place] == other[place] else { return false }
            place += 1
        }
        return true
    }
}
