// Types of martlet.js, the client of a Martlet gateway.

/** How far a stream has been seen. Without `epoch`: whatever the present one is. `seq` 0: all that the log holds. */
export interface Position {
  epoch?: string;
  seq: number;
}

/** A message of a room; `epoch` and `seq` together name it. One that is not stored has neither. */
export interface Message<Payload = unknown> {
  roomId: string;
  userId: string;
  /** 1 text, 2 control, others the application's. */
  msgType: number;
  /** The name of what it tells of, where its sender gave one. */
  event?: string;
  payload: Payload;
  /** The payload was taken away: it is null. */
  redacted?: true;
  /** The payload as it came, byte for byte: where a number has more digits than JavaScript keeps, they are here. */
  text: string;
  /** Milliseconds since 1970 by the gateway's clock, as all times here. */
  timestamp: number;
  seq?: number;
  epoch?: string;
  /** Of one that is not stored. */
  volatile?: true;
}

/** Messages between `from` and `to` were lost, or could not be followed: load your state anew. It goes on at `to`. */
export interface Gap {
  roomId: string;
  from: Position;
  to: Position;
}

export interface Member<Info = Record<string, unknown>> {
  userId: string;
  /** What the user's token says of them. */
  info: Info;
}

export interface PresenceEvent<Info = Record<string, unknown>> {
  /** `update`: somebody who stays is shown otherwise. Later gateways may tell of more, which is to be passed over. */
  event: "join" | "leave" | "update";
  userId: string;
  /** Missing with a `leave`. */
  info?: Info;
}

/** What changed in a room's roster. No events and no `from`: it has changed unseen, ask `members()`. */
export interface Presence<Info = Record<string, unknown>> {
  roomId: string;
  events: PresenceEvent<Info>[];
  /** Users in the room after these events. */
  members: number;
  /** The version before, where the events are the net change since then, each user at most once. */
  from?: number;
  /** The version after the last event; without `from` each event is one step. */
  rosterVersion: number;
  timestamp: number;
}

export interface Status {
  userId: string;
  online: boolean;
  /** With a user who is online, from a gateway that says it: `away` where all the user's connections are. */
  state?: "active" | "away";
  /** Where known, with a user who is offline. */
  lastSeen?: number;
}

export interface History<Payload = unknown> {
  /** The room's present epoch. */
  epoch: string;
  /** Oldest first. Those of an earlier epoch, which the archive has, name theirs. */
  messages: (Message<Payload> & { seq: number })[];
  /** Whether the log holds more in the direction of reading. */
  more: boolean;
  /** The gateway's archive, which may have more, could not be asked. */
  archive?: "unavailable";
}

/**
 * What has changed in a governed room, or holds as it is joined: `joined` (with `settings`, `version` and one's own `role`),
 * `updated` and `restored` (`settings`, and one's own `role` where the room goes on after a break), `role` (`userId`, `role`),
 * `host` (`userId`), `muted` (`userId`, `until` in milliseconds, without it there is no end), `unmuted` (`userId`), `redacted`
 * (the message `seq` of `epoch` has no payload any more, and what is shown of it is to go). By `removed` (`reason`) and `closed` this client is out: the handle is
 * refused; leave it, and take another to join anew. Later gateways may tell of more.
 */
export interface RoomChange {
  roomId: string;
  event: string;
  /** Grows by one with each change. */
  version?: number;
  settings?: Record<string, unknown>;
  userId?: string;
  role?: string;
  until?: number;
  reason?: string;
  /** Of a message. */
  seq?: number;
  epoch?: string;
}

export type ClientState = "idle" | "connecting" | "connected" | "waiting" | "stopped";

export interface ClientStateChange {
  state: ClientState;
  /** With `connected`; not there for a guest. */
  userId?: string;
  connectionId?: string;
  nodeId?: string;
  /** With `connected`: whether the session went on where it was. */
  resumed?: boolean;
  /** With `waiting`: the close code (0 where this client gave the connection up) and reason of what ended. */
  code?: number;
  reason?: string;
  /** With `waiting`, unless the gateway has said when to come back. */
  retryInMs?: number;
  /** With `waiting`: what `getToken` failed with. With `stopped`: a `MartletError`. */
  error?: unknown;
}

export interface RoomStateChange {
  state: "joining" | "joined" | "refused";
  /** With `refused`. */
  error?: MartletError;
}

/**
 * The gateway's codes, and the client's own: `closed` (by `close()` or `leave()`), `disconnected` (the connection was lost
 * before the reply, or there was none and `queue: false`), `invalid` (the address cannot be used, there is no gateway, a
 * payload is no JSON), `queue_full`, `replaced` (a newer connection took this one's place), `timeout`, `too_large`, `unknown`
 * (the connection was away so long that a publish may have been stored or not). A later gateway may have others.
 */
export type ErrorCode =
  | "bad_request" | "conflict" | "forbidden" | "not_found" | "not_member" | "rate_limited" | "unauthorized" | "unavailable"
  | "closed" | "disconnected" | "invalid" | "queue_full" | "replaced" | "timeout" | "too_large" | "unknown";

export class MartletError extends Error {
  constructor(code: ErrorCode, message?: string, details?: object);
  readonly code: ErrorCode;
  /** Where a close of the connection is the cause. */
  readonly closeCode?: number;
  /** Where the gateway has said how long to wait before the same is asked again. */
  readonly retryAfterMs?: number;
  /** With `timeout`: whether it was sent, and may be stored. */
  readonly sent?: boolean;
  /** Where users may not be watched: which ones. */
  readonly users?: string[];
}

export interface Options {
  /**
   * Asked at each connect, after a token was refused or has expired, and a minute before it does. A failure is tried
   * again, and told by `error` where it was a refresh; an empty answer, or a `MartletError("unauthorized")` that is thrown,
   * stops the client.
   */
  getToken?: () => string | null | undefined | Promise<string | null | undefined>;
  /** In place of tokens, where the gateway's `auth.mode` is `none`. With neither the client is a guest, where those are let in. */
  userId?: string;
  /** Another WebSocket than the global one, such as that of the package `ws`. */
  WebSocket?: unknown;
  /** Tells `online` and `offline` in place of the page, as with React Native's NetInfo. */
  network?: EventTarget;
  /** Told what happens: events of the client, and each frame that goes or comes, without tokens and payloads. */
  log?: (event: string, details: unknown) => void;
  /**
   * `tab`: rooms, inbox and everyone go on where they were when the page was reloaded. Their positions lie in
   * sessionStorage, for the same user alone, and never for two tabs at once: one that was opened from another begins afresh.
   */
  persist?: "tab";
  /** A payload's JSON; where it is not given, what JSON cannot hold (a Map, bytes, NaN, 10n) is refused with `invalid`. */
  stringify?: (payload: unknown) => string;
  /** A payload from its JSON, for each listener anew; `JSON.parse` where it is not given. */
  parse?: (text: string) => unknown;
  /** Has the gateway told `away` while the page is hidden, and `active` when it is shown again. */
  awayWhenHidden?: boolean;
  /** Requests that may wait, or be under way, at once: 1000, and 4 MiB. More are refused with `queue_full`. */
  maxQueued?: number;
  /** Nothing larger is sent, where this is below what the gateway takes; 65536 where neither says anything. */
  maxMessageBytes?: number;
  /** No more goes out, where this is below what the gateway takes; 100 where neither says anything. */
  messagesPerSecond?: number;
}

/** What a client tells, by the name of the event. */
export interface ClientEvents {
  state: ClientStateChange;
  /** A backend has put this user into a room: take a handle on it. */
  invited: { roomId: string };
  /** What failed and nobody waits for: a watch, a fresh token, what the gateway could not read, a page in its place. */
  error: MartletError;
}

/** What a handle on a room tells, by the name of the event; each listener gets an object of its own. */
export interface RoomEvents<Payload = unknown, Info = Record<string, unknown>> {
  /** Each message once, in order, whatever happens to the connection. */
  message: Message<Payload>;
  gap: Gap;
  presence: Presence<Info>;
  /** The members of a room that was joined, whole, at first and after each change. Not where presence is off or forbidden. */
  members: Member<Info>[];
  signal: { from: string; payload: unknown };
  room: RoomChange;
  state: RoomStateChange;
}

/** How long something may be waited for: milliseconds, and a signal whose reason it then fails with. */
export interface Bounds {
  signal?: AbortSignal;
  /** Fails with `timeout` when it is over. What was not sent by then never is; `sent` of the error says which. */
  timeout?: number;
}

/** Ends what it came from; calling it again does nothing. */
export type Off = () => void;

/**
 * A connection to a gateway that mends itself. It opens with the first room, watch or `connect()`, and is kept until
 * `close()`, or until it stops: at 4403, 4409, at 4401 where there is no `getToken`, or as `getToken` says. Then `connect()`
 * alone opens it again, with all rooms and watches: what is asked for before is refused with the reason, by the handle's
 * `state`, its calls, or `error`. No promise need be waited for.
 */
export class Martlet {
  /** @param url `wss://host/ws`; `https:` and addresses relative to the page will do. It is looked at when it is used. */
  constructor(url: string | URL, options?: Options);

  readonly state: ClientState;
  /** Why the client has stopped; null before. */
  readonly error: MartletError | null;
  /** Null before the first welcome, and for a guest. */
  readonly userId: string | null;

  on<Name extends keyof ClientEvents>(event: Name, listener: (value: ClientEvents[Name]) => void): Off;
  /** The next one alone. */
  once<Name extends keyof ClientEvents>(event: Name, listener: (value: ClientEvents[Name]) => void): Off;
  /** Takes away a listener, once where it listens twice. */
  off<Name extends keyof ClientEvents>(event: Name, listener: (value: ClientEvents[Name]) => void): void;

  /** Opens the connection, also after it was stopped, and waits for it however long that takes, or within the bounds. */
  connect(bounds?: Bounds): Promise<{ userId: string | null; connectionId: string; nodeId: string }>;

  /** Leaves this connection, or the wait for another, for a new one at once, on the same session. */
  reconnect(): void;

  /**
   * Says farewell: the user is offline at once, the session over, and what was not answered fails with `closed`.
   * Settles with the gateway's answer, at once where there is no connection.
   */
  close(): Promise<void>;

  /**
   * Joins a room, or takes another handle on it. The handle's stream begins now, after `since`, or with the `last` messages
   * (1 to 100); that counts where no other handle has the room open. Listen in the same turn: what comes before is not kept.
   */
  room<Payload = unknown, Info = Record<string, unknown>>(
    id: string,
    options?: { since?: Position; last?: number },
  ): Room<Payload, Info>;

  /** What the backend sends to this user; refused to a guest. Handles share one stream, and `since` rewinds it for all of them. */
  inbox<Payload = unknown>(options?: { since?: Position }): Room<Payload>;

  /** What the backend sends to everyone; `since` as with `inbox`. */
  everyone<Payload = unknown>(options?: { since?: Position }): Room<Payload>;

  /** Tells whether these users are online: at first, and as it changes. */
  watch(users: Iterable<string>, listener: (status: Status) => void): Off;

  /**
   * Sends a frame of the protocol that has no method here, such as `{ type: "turn" }` or `{ type: "state", state: "away" }`,
   * and answers with the reply's frame. It waits for the connection, and fails with `disconnected` where that is lost before
   * the reply.
   */
  request(frame: Frame, bounds?: Bounds): Promise<Frame>;
}

/** A frame of the protocol; its `id` is the client's own. */
export interface Frame {
  type: string;
  [field: string]: unknown;
}

/** A handle on a room. The room is left when its last handle is. */
export interface Room<Payload = unknown, Info = Record<string, unknown>> extends AsyncIterable<Message<Payload>> {
  readonly id: string;
  /** All up to here was handed out; null before the room was joined for the first time. Good for a later `since`. */
  readonly position: Position | null;
  readonly isJoined: boolean;

  on<Name extends keyof RoomEvents>(event: Name, listener: (value: RoomEvents<Payload, Info>[Name]) => void): Off;
  /** The next one alone. */
  once<Name extends keyof RoomEvents>(event: Name, listener: (value: RoomEvents<Payload, Info>[Name]) => void): Off;
  /** Takes away a listener, once where it listens twice. */
  off<Name extends keyof RoomEvents>(event: Name, listener: (value: RoomEvents<Payload, Info>[Name]) => void): void;

  /**
   * The messages from here on, until the room is left or the client closed; fails where the room is refused or the client
   * stops, and with `queue_full` when the loop is 1000 messages behind. What was lost is told by `gap` alone.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Message<Payload>, void, void>;

  /** Waits until the room is joined; rejected where that is refused. */
  joined(bounds?: Bounds): Promise<void>;

  /**
   * Stores a message, and sends it to all members, this client included. It waits for the connection, is sent again
   * after a loss, and is stored once: under `dedupe`, which is made up unless it is given. With `queue: false` it goes
   * out at once or fails with `disconnected`, and is not sent again. `event` names what it tells of; with `echo: false`
   * this connection is not sent it. With `volatile: true`, for typing and cursors, it is sent to whoever is there and not
   * stored: it has no `seq`, goes as with `queue: false`, and reaches each at most once.
   */
  publish(
    payload: Payload,
    options?: {
      msgType?: number; event?: string; echo?: boolean; volatile?: boolean; dedupe?: string; queue?: boolean;
    } & Bounds,
  ): Promise<{ seq?: number; timestamp: number }>;

  /** As the client's, about this room: `{ type: "presence", info }` shows the members another `info` until the session ends. */
  request(frame: Frame, bounds?: Bounds): Promise<Frame>;

  /** To another member's connections; neither stored nor sent again. For WebRTC. */
  signal(to: string, payload: unknown, bounds?: Bounds): Promise<void>;

  /**
   * What those may ask whose role in a governed room has the right: `role` with `{ userId, role }`; `mute`, `unmute`,
   * `ban`, `unban` and `remove` with `{ userId }`, and `until` (milliseconds) and `reason` where they make sense; `redact`
   * with `{ seq }`, and `epoch`, takes a message's payload away. Answers
   * the room's new version; fails with `forbidden` where the role does not allow it. It is not sent again.
   */
  govern(type: string, fields: Record<string, unknown>, bounds?: Bounds): Promise<number>;

  /**
   * A page of the log, the newest messages unless an edge is given; 50 unless `limit` (1 to 1000) is. A bare number is one
   * of the present epoch: over an earlier one in the archive an edge names its `epoch`, as messages do. Like `members()`
   * it waits until the room is joined. Where that is `forbidden` it is asked all the same, since one may be allowed to
   * read without being in the room, and is rejected where one is not.
   */
  history(
    range?: { before?: number | Required<Position>; after?: number | Required<Position>; limit?: number } & Bounds,
  ): Promise<History<Payload>>;

  /** All members, with the number of their connections. */
  members(bounds?: Bounds): Promise<(Member<Info> & { connections: number })[]>;

  /**
   * Gives the handle back: it hears nothing more, and what waits for `joined()`, `history()` or `members()` fails with
   * `closed`. What was published and waits is still sent. Settles when the gateway has answered, at once where there is
   * no connection.
   */
  leave(): Promise<void>;
}
