/// The close codes that the frame layer itself gives, and the rule for all of them (RFC 6455, section 7.4).
package enum CloseCode {
    package static let protocolError: UInt16 = 1002
    package static let invalidPayload: UInt16 = 1007
    package static let messageTooBig: UInt16 = 1009

    /// Whether a close frame may carry `code`: those of the IANA registry up to 1014, and 3000 to 4999.
    /// 1005, 1006 and 1015 name what no frame said, 1004 is reserved.
    package static func mayBeSent(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
