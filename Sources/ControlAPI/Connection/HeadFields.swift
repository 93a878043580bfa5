import NIOHTTP1

/// Which of the fields that say how a request is to be served stand in its head; most heads have none of them, and one look tells that.
struct HeadFields: OptionSet {
    let rawValue: UInt8

    static let connection = HeadFields(rawValue: 1)
    static let transferCoding = HeadFields(rawValue: 2)
    static let expect = HeadFields(rawValue: 4)

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    init(_ headers: HTTPHeaders) {
        self = []
        for (name, _) in headers {
            switch name.utf8.count {
            case 6 where HTTPHeaders.isSame(name, "expect"): insert(.expect)
            case 10 where HTTPHeaders.isSame(name, "connection"): insert(.connection)
            case 17 where HTTPHeaders.isSame(name, "transfer-encoding"): insert(.transferCoding)
            case _: break
            }
        }
    }
}
