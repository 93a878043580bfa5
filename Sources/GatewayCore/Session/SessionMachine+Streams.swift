extension SessionMachine {
    /// The rooms whose stream this connection gets or has asked for, its inbox and `*` included.
    package var streams: [RoomName] {
        guard let identity, !isVisitor else { return isGuest ? rooms.keys + [.everyone] : [] }
        return rooms.keys + [RoomName(inboxOf: identity.userId), .everyone]
    }
}
