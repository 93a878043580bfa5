import Dialects
import GatewayCore

/// Those fields of a JSON object that somebody asked for, where they stand in its text; all others are passed over.
///
/// Like the values in it, it must not outlive the text's memory.
struct ObjectFields {
    /// An object has few that anybody asks for, so they are looked for one after another, and kept in place.
    private let names: [StaticString]
    /// Of each name what stands there.
    private var values = InlineArray<12, JSONValue?>(repeating: nil)

    /// - Parameters:
    ///   - names: at most 12.
    ///   - path: how errors name the object, such as `to`.
    ///   - maxDepth: containers inside each other in each field; that a payload is not nested deeper is seen here.
    ///
    /// A field given twice is refused: whoever checks the first and whoever obeys the last must not be deceived
    /// about each other.
    init(of object: JSONValue, named names: [StaticString], path: String, upTo maxDepth: Int = JSONScanner.maxDepth)
        throws(RequestError)
    {
        precondition(names.count <= 12, "more names than there are places for them")
        guard case .object = object.kind else { throw RequestError(.badRequest, "\(path): must be an object") }
        self.names = names
        var repeated: StaticString?
        do throws(JSONError) {
            var scanner = JSONScanner(object.bytes)
            var next = try scanner.firstKey()
            while let key = next {
                let value = try scanner.value(upTo: maxDepth)
                if let place = names.firstIndex(where: key.equals) {
                    if values[place] != nil { repeated = names[place] }
                    values[place] = value
                }
                next = try scanner.nextKey()
            }
        } catch {
            throw ObjectFields.notJSON(error)
        }
        if let repeated { throw RequestError(.badRequest, "\(repeated): given twice") }
    }

    /// A field of those that were asked for.
    subscript(name: StaticString) -> JSONValue? {
        names.firstIndex { ObjectFields.areEqual($0, name) }.flatMap { values[$0] }
    }

    private static func areEqual(_ one: StaticString, _ other: StaticString) -> Bool {
        UnsafeBufferPointer(start: one.utf8Start, count: one.utf8CodeUnitCount).elementsEqual(
            UnsafeBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
    }

    /// The text of a field, nil where it is not given.
    func string(_ name: StaticString) throws(RequestError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string?.text else { throw RequestError(.badRequest, "\(name): must be a string") }
        return text
    }

    /// A field that is true or false, nil where it is not given.
    func boolean(_ name: StaticString) throws(RequestError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let boolean = value.boolean else { throw RequestError(.badRequest, "\(name): must be true or false") }
        return boolean
    }

    /// The field `reason`, which people read: so many bytes at most, no control characters; nil where it is not given.
    func reason(upTo maxBytes: Int) throws(RequestError) -> String? {
        guard let text = try string("reason") else { return nil }
        guard text.utf8.count <= maxBytes,
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw RequestError(.badRequest, "reason: must be at most \(maxBytes) bytes without control characters")
        }
        return text
    }

    /// Checks a whole text to its end; what it answers can be read without meeting anything that is not JSON.
    static func value(of text: UnsafeRawBufferPointer) throws(RequestError) -> JSONValue {
        do throws(JSONError) {
            var scanner = JSONScanner(text)
            let value = try scanner.value(upTo: JSONScanner.maxTextDepth)
            try scanner.end()
            return value
        } catch {
            throw notJSON(error)
        }
    }

    /// The elements of an array, each where it stands; nil where the value is none.
    static func elements(of value: JSONValue) throws(RequestError) -> [JSONValue]? {
        var elements: [JSONValue] = []
        return try forEachElement(of: value) { elements.append($1) } ? elements : nil
    }

    /// Hands over each element of an array with its place; false where the value is none.
    static func forEachElement(of value: JSONValue, _ body: (Int, JSONValue) -> Void) throws(RequestError) -> Bool {
        guard case .array = value.kind else { return false }
        do throws(JSONError) {
            var scanner = JSONScanner(value.bytes)
            var hasMore = try scanner.firstElement()
            var index = 0
            while hasMore {
                body(index, try scanner.value(upTo: JSONScanner.maxTextDepth))
                index += 1
                hasMore = try scanner.nextElement()
            }
        } catch {
            throw notJSON(error)
        }
        return true
    }

    /// What all elements of an array name, in their order; nil where the value is none, or has none or more than so many.
    ///
    /// - Parameters:
    ///   - read: nil for an element that names nothing.
    ///   - refusal: of the first of these, by its place.
    static func names<Name>(
        in value: JSONValue, upTo most: Int, read: (String) -> Name?, refusal: (Int) -> RequestError
    ) throws(RequestError) -> [Name]? {
        var names: [Name] = []
        var count = 0
        var wrong: Int?
        let isArray = try forEachElement(of: value) { index, element in
            count += 1
            guard wrong == nil, count <= most else { return }
            if let name = element.string?.text.flatMap(read) {
                names.append(name)
            } else {
                wrong = index
            }
        }
        guard isArray, (1...most).contains(count) else { return nil }
        if let wrong { throw refusal(wrong) }
        return names
    }

    private static func notJSON(_ error: JSONError) -> RequestError {
        RequestError(.badRequest, "not JSON: \(error.message)")
    }
}
