import NIOCore
import Testing
import WebSocketFrames
import TestSupport

@Suite struct UTF8Tests {
    private func isAccepted(_ bytes: [UInt8], chunk: Int = .max) -> Bool {
        events(of: Wire().frame(0x1, bytes), chunk: chunk) == [.text(ByteBuffer(bytes: bytes))]
    }

    private func isValid(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    @Test func `every text of one and of two bytes is judged as the standard library judges it`() {
        for first in UInt8.min...UInt8.max {
            #expect(isAccepted([first]) == isValid([first]))
            for second in UInt8.min...UInt8.max where isAccepted([first, second]) != isValid([first, second]) {
                Issue.record("\([first, second])")
            }
        }
    }

    /// The bytes at which the table of well-formed sequences has a border, and their neighbours.
    @Test func `every text of three and four bytes around the borders is judged as the standard library judges it`() {
        let borders: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for first in borders where first >= 0x7F {
            for second in borders {
                for third in borders {
                    let three = [first, second, third]
                    if isAccepted(three) != isValid(three) {
                        Issue.record("\(three)")
                    }
                    for fourth in borders
                    where first >= 0xF0 && isAccepted(three + [fourth]) != isValid(three + [fourth]) {
                        Issue.record("\(three + [fourth])")
                    }
                }
            }
        }
    }

    @Test func `random texts are judged as the standard library judges them, in any pieces`() {
        let seed = UInt64.random(in: 0...(.max))
        var generator = SplitMix(seed: seed)
        for _ in 0..<5_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                let scalar = Unicode.Scalar(UInt32.random(in: 0...0x11_0000, using: &generator))
                bytes +=
                    Array(String(scalar ?? "a").utf8)
                    + Array(repeating: 0x61, count: Int.random(in: 0...9, using: &generator))
            }
            if Bool.random(using: &generator), let index = bytes.indices.randomElement(using: &generator) {
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            }
            let chunk = Int.random(in: 1...20, using: &generator)
            let isValid = isValid(bytes)
            if isAccepted(bytes) != isValid || isAccepted(bytes, chunk: chunk) != isValid {
                Issue.record("\(bytes), pieces of \(chunk), seed \(seed)")
            }
        }
    }

    @Test func `a wrong byte is found wherever it lies among ASCII`() {
        for count in 0..<40 {
            for position in 0..<count {
                var bytes = [UInt8](repeating: 0x61, count: count)
                bytes[position] = 0xFF
                #expect(events(of: Wire().frame(0x1, bytes)) == [.failed(.notUTF8)])
            }
        }
    }
}
