import GatewayCore

/// Why a frame from the gateway could not be read.
package enum UnreadableEvent: Error, Hashable, Sendable {
    /// A kind of frame that came with a later version: to be passed over.
    case unknownType
    /// Not what the protocol promises; the text names the field.
    case malformed(String)
}

extension NativeDialect {
    /// Appends one request's text, as a client sends it.
    package func encode(_ request: ClientRequest, into bytes: inout [UInt8]) {
        switch request.command {
        case .message(let room, let msgType, let payload, let dedupe):
            bytes.reserveCapacity(bytes.count + payload.count + 512)
            begin(#"{"type":"message""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append(#","msgType":"#, to: &bytes)
            JSONWriter.append(integer: msgType, to: &bytes)
            JSONWriter.append(#","payload":"#, to: &bytes)
            bytes.append(contentsOf: payload)
            if let dedupe {
                JSONWriter.append(#","dedupe":"#, to: &bytes)
                JSONWriter.append(string: dedupe, to: &bytes)
            }
        case .auth(let token):
            begin(#"{"type":"auth""#, id: request.id, into: &bytes)
            JSONWriter.append(#","token":"#, to: &bytes)
            JSONWriter.append(string: token, to: &bytes)
        case .join(let room):
            begin(#"{"type":"join""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
        case .leave(let room):
            begin(#"{"type":"leave""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
        case .history(let room, let range):
            begin(#"{"type":"history""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
            append(range, into: &bytes)
        case .ping: begin(#"{"type":"ping""#, id: request.id, into: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ range: HistoryRange, into bytes: inout [UInt8]) {
        switch range.edge {
        case .newest: break
        case .before(let seq):
            JSONWriter.append(#","before":"#, to: &bytes)
            JSONWriter.append(integer: seq, to: &bytes)
        case .after(let seq):
            JSONWriter.append(#","after":"#, to: &bytes)
            JSONWriter.append(integer: seq, to: &bytes)
        }
        JSONWriter.append(#","limit":"#, to: &bytes)
        JSONWriter.append(integer: range.limit, to: &bytes)
    }

    /// Reads one text frame from the gateway, whole and known to be UTF-8.
    ///
    /// Frames say less than the vocabulary: a message bears no epoch (its position's is empty, the room's present
    /// one is meant), and a page of history no head (its `seq` is the newest message's, 0 without one).
    package func decodeEvent(_ frame: UnsafeRawBufferPointer) -> Result<ServerEvent, UnreadableEvent> {
        do throws(UnreadableEvent) {
            return .success(try EventFields(frame: frame).event())
        } catch {
            return .failure(error)
        }
    }
}
