import Dialects
import FoundationEssentials
import GatewayCore

/// The names of claims, as an issuer has them.
package struct ClaimNames: Hashable, Sendable {
    /// Whom the token names.
    package var user = "sub"
    /// For whom it is meant: a text or a list of them.
    package var audience = "aud"
    /// What others are shown of the user, by these names; empty: the claim `info`, an object.
    package var info: [String] = []

    package init() {}
}

/// The claims of a token that count, each either as it should be, absent, or something else, so that a refusal can name it.
///
/// Of a claim that is there twice the last counts (RFC 7519, section 4).
struct TokenClaims {
    enum Claim<Value> {
        case absent, malformed
        case value(Value)
    }

    var user = Claim<String>.absent
    /// Seconds since 1970, possibly with a fraction (RFC 7519, NumericDate).
    var exp = Claim<Double>.absent
    var nbf = Claim<Double>.absent
    var iat = Claim<Double>.absent
    var iss = Claim<String>.absent
    var audience = Claim<[String]>.absent
    var rooms = Claim<[String: [String]]>.absent
    /// What is shown of the user, byte for byte, since decoding and encoding would change its numbers and its order; nil
    /// where the token has nothing of it.
    var info: [UInt8]?

    /// Reads a payload to its end; nil where it is no JSON object.
    init?(_ payload: Data, names: ClaimNames) {
        guard String(validating: payload, as: UTF8.self) != nil else { return nil }
        do {
            var shown = Array<[UInt8]?>(repeating: nil, count: names.info.count)
            try payload.withUnsafeBytes { bytes in
                try read(bytes, names: names, shown: &shown)
            }
            if !names.info.isEmpty { info = TokenClaims.object(zip(names.info, shown)) }
        } catch {
            return nil
        }
    }

    private mutating func read(
        _ bytes: UnsafeRawBufferPointer, names: ClaimNames, shown: inout [[UInt8]?]
    ) throws(JSONError) {
        var scanner = JSONScanner(bytes)
        var key = try scanner.firstKey()
        while let name = key {
            let value = try scanner.value()
            if name.says(names.user) { user = TokenClaims.text(value) }
            if name.says(names.audience) { audience = TokenClaims.names(value) }
            for (index, claim) in names.info.enumerated() where name.says(claim) { shown[index] = Array(value.bytes) }
            if name.equals("exp") { exp = TokenClaims.number(value) }
            if name.equals("nbf") { nbf = TokenClaims.number(value) }
            if name.equals("iat") { iat = TokenClaims.number(value) }
            if name.equals("iss") { iss = TokenClaims.text(value) }
            if name.equals("rooms") { rooms = TokenClaims.grants(value) }
            if names.info.isEmpty, name.equals("info") { info = Array(value.bytes) }
            key = try scanner.nextKey()
        }
        try scanner.end()
    }

    private static func text(_ value: JSONValue) -> Claim<String> {
        value.string?.text.map { .value($0) } ?? .malformed
    }

    private static func number(_ value: JSONValue) -> Claim<Double> {
        guard case .number = value.kind, let number = Double(String(decoding: value.bytes, as: UTF8.self)) else {
            return .malformed
        }
        return .value(number)
    }

    /// One text or a list of them (RFC 7519, section 4.1.3).
    private static func names(_ value: JSONValue) -> Claim<[String]> {
        if let name = value.string { return name.text.map { .value([$0]) } ?? .malformed }
        var names: [String] = []
        var scanner = JSONScanner(value.bytes)
        do {
            guard try scanner.firstElement() else { return .value([]) }
            repeat {
                guard let name = try scanner.value().string?.text else { return .malformed }
                names.append(name)
            } while try scanner.nextElement()
            return .value(names)
        } catch {
            return .malformed
        }
    }

    private static func grants(_ value: JSONValue) -> Claim<[String: [String]]> {
        var grants: [String: [String]] = [:]
        var scanner = JSONScanner(value.bytes)
        do {
            var key = try scanner.firstKey()
            while let pattern = key {
                guard let pattern = pattern.text else { return .malformed }
                let value = try scanner.value()
                guard case .array = value.kind, case .value(let actions) = names(value) else { return .malformed }
                grants[pattern] = actions
                key = try scanner.nextKey()
            }
            return .value(grants)
        } catch {
            return .malformed
        }
    }

    /// The object of those claims that are there, in the order of the settings; nil where none is. Their names need no
    /// escapes: the settings take no others.
    private static func object(_ claims: some Sequence<(String, [UInt8]?)>) -> [UInt8]? {
        var object: [UInt8] = []
        for case (let name, let value?) in claims {
            object += object.isEmpty ? "{\"".utf8 : ",\"".utf8
            object += name.utf8
            object += "\":".utf8
            object += value
        }
        return object.isEmpty ? nil : object + "}".utf8
    }
}

extension JSONString {
    /// Whether it says this, byte for byte.
    fileprivate func says(_ name: String) -> Bool {
        guard hasEscapes else { return contents.elementsEqual(name.utf8) }
        return text?.utf8.elementsEqual(name.utf8) ?? false
    }
}
