/// Reads the input as a client's `Sec-WebSocket-Extensions` header; what is agreed on must be what was offered.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOffers(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let line = String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self)
    requireCheap(count) { _ = try? DeflateAgreement.answering([line]) }
    let lines = line.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // A header that breaks the grammar is as good as one that offers nothing here.
    guard let agreement = try? DeflateAgreement.answering(lines) else { return 0 }
    require(line.lowercased().contains("permessage-deflate"), "agreed on what nobody offered")
    require(DeflateAgreement.possibleWindowBits.contains(agreement.windowBits), "a window that cannot be")
    // A server's answer reads as an offer that leads to the same.
    let again = try? DeflateAgreement.answering([agreement.response])
    require(again == agreement, "the answer says something else")
    return 0
}
