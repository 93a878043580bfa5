/// What is in a container, each value where it stands; as long valid as the text's memory is.
extension JSONValue {
    /// An object's fields in their order, also those that come twice; nil where the value is no object.
    ///
    /// - Parameter limit: where there are more, one more than so many are answered.
    package func fields(upTo limit: Int = .max) -> [(key: JSONString, value: JSONValue)]? {
        do throws(JSONError) {
            var scanner = JSONScanner(bytes)
            var fields: [(key: JSONString, value: JSONValue)] = []
            var key = try scanner.firstKey()
            while let name = key {
                fields.append((name, try scanner.value(upTo: JSONScanner.maxTextDepth)))
                guard fields.count <= limit else { break }
                key = try scanner.nextKey()
            }
            return fields
        } catch {
            // A value was scanned to its end before it was handed out, so only its kind can be wrong.
            return nil
        }
    }

    /// An array's elements; nil where the value is no array.
    ///
    /// - Parameter limit: as for `fields`.
    package func elements(upTo limit: Int = .max) -> [JSONValue]? {
        do throws(JSONError) {
            var scanner = JSONScanner(bytes)
            var elements: [JSONValue] = []
            var isThere = try scanner.firstElement()
            while isThere {
                elements.append(try scanner.value(upTo: JSONScanner.maxTextDepth))
                guard elements.count <= limit else { break }
                isThere = try scanner.nextElement()
            }
            return elements
        } catch {
            // As above.
            return nil
        }
    }
}
