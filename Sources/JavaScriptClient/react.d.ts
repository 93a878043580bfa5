// Types of martlet/react: hooks over a client of martlet.js, for React 18 and later.
import type { ClientState, Martlet, MartletError, Member, Message, Status } from "./martlet.js";

export interface RoomOptions<Payload = unknown> {
  /** As many of the newest messages are kept and shown: 500. */
  limit?: number;
  /** As many are read of the log at first, and after a gap: 50; 0 for none. */
  history?: number;
  /** Told each message as it comes, also one that is not stored and therefore in no list. */
  onMessage?: (message: Message<Payload>) => void;
}

export interface RoomView<Payload = unknown> {
  state: "joining" | "joined" | "refused";
  /** Why the room is refused, or its history could not be read. */
  error: MartletError | null;
  /**
   * The newest, oldest first, without holes: after a gap the list begins anew. `epoch` and `seq` together name one. One whose
   * payload is taken away is `redacted` at once.
   */
  messages: (Message<Payload> & { seq: number; epoch: string })[];
  /** As `Room.publish`; the same function in all renders of a room. */
  publish(
    payload: Payload,
    options?: Parameters<ReturnType<Martlet["room"]>["publish"]>[1],
  ): Promise<{ seq: number; timestamp: number }>;
}

/**
 * Joins a room for as long as the component is mounted, and shows its newest messages. What comes within 16 ms is one render,
 * and a message costs the same however long the list is. A room that is `null` is none, `*` is what the backend sends to
 * everyone, `@` the user's inbox.
 */
export function useRoom<Payload = unknown>(
  client: Martlet,
  roomId: string | null | undefined,
  options?: RoomOptions<Payload>,
): RoomView<Payload>;

/** Who is in a room, which is joined for that; nobody until it is known. */
export function useMembers<Info = Record<string, unknown>>(
  client: Martlet,
  roomId: string | null | undefined,
): Member<Info>[];

/** Whether a user is online; null until it is known, and for no user. */
export function useStatus(client: Martlet, userId: string | null | undefined): Status | null;

/** How the client is connected, without opening the connection. */
export function useConnection(client: Martlet): { state: ClientState; userId: string | null; error: MartletError | null };

/**
 * What `make` gives, made once for each name: also where a module is replaced hot and runs again, so that the page keeps its
 * client, and no second connection is left behind. It keeps the options of the first.
 */
export function keep<Value>(name: string, make: () => Value): Value;
