// Whether martlet.js and react.js, as the compiler reads them, have what their types say. `sources/` are copies without types.
import * as hooks from "martlet/react";
import * as library from "martlet";
import * as hooksInCode from "./sources/react.js";
import * as libraryInCode from "./sources/martlet.js";

type Told = InstanceType<typeof library.Martlet>;
type Written = InstanceType<typeof libraryInCode.Martlet>;
type Names<Value> = Extract<keyof Value, string>;
// Each name on one side is there on the other.
type Same<One, Other> = [Names<One>, Names<Other>] extends [Names<Other>, Names<One>] ? true : { differ: [Names<One>, Names<Other>] };
export const sameClient: Same<Told, Written> = true;
export const sameRoom: Same<library.Room, ReturnType<Written["room"]>> = true;
export const sameModule: Same<typeof library, typeof libraryInCode> = true;
export const sameHooks: Same<typeof hooks, typeof hooksInCode> = true;
export const client: Omit<Told, "on" | "once" | "off" | "error" | "state" | "room" | "inbox" | "everyone"> = new libraryInCode.Martlet("");
