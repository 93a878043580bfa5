/// Some slots, or those of a server that has all.
package enum SlotGroup: Sendable {
    case all
    case some([KeySlot])
}

/// The receiver of what comes in over a subscriber. Everything is called on the subscriber's loop and must not block
/// it.
package protocol RedisSubscriptionHandler: AnyObject, Sendable {
    /// All channels that were asked for when the connection was made are confirmed, after a break again: what was
    /// published in between is lost and nothing was since. Messages of channels already confirmed may come before.
    func subscriptionConnected(_ slots: SlotGroup, afterBreak: Bool)
    /// The connection is gone, or the slots are elsewhere; nothing comes until `subscriptionConnected`.
    func subscriptionLost(_ slots: SlotGroup)
    /// Redis has confirmed this channel, in answer to the latest `subscribe` for it; after a break again.
    func subscribed(channel: String)
    /// A message. The memory is valid during the call only.
    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer)
    /// Everything received in this read turn has been handed over.
    func readComplete()
}
