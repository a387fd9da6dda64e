/**
 * A client for FD1, the packet protocol of Fieldpine's retail platform, over one
 * WebSocket. No dependencies; browsers, and Node from version 20.
 *
 *     const shop = new Client("wss://shop.example/fd1/open_websocket", { apikey: "…" });
 *     await shop.connect();
 *     const products = await shop.call("fd1.products.get_products", { q: { "price(>)": 3 } });
 */
export { Client, type CredentialSource, type Options } from "./client.js";
export { EncryptionError } from "./enc.js";
export type { Socket, SocketConstructor } from "./link.js";
export { Closed, FD1Error, NoAnswer, type Credential, type Event, type Fields, type Push } from "./packet.js";
