// What a script tag loads: the global `Martlet`, with `Martlet.MartletError`.
import { Martlet, MartletError } from "./martlet.js";

globalThis.Martlet = Object.assign(Martlet, { MartletError });
