/**
 * One socket. What is sent goes out in the order it was given, what comes in is
 * handed over in the order it came, also where encryption takes its time.
 */

import type { Session } from "./enc.js";
import { Closed, type Request, type Response } from "./packet.js";

/** The part of a browser's WebSocket that is used; the ws package has it, too. */
export interface Socket {
	send(text: string): void;
	close(code?: number, reason?: string): void;
	onopen: ((event: any) => void) | null;
	onmessage: ((event: any) => void) | null;
	onclose: ((event: any) => void) | null;
	onerror: ((event: any) => void) | null;
}

export interface SocketConstructor {
	new (url: string): Socket;
}

export class Link {
	/** Set these before the first packet is sent: a server says nothing before. */
	onpacket: (packet: Response) => void = () => {};
	onclose: (why: Error) => void = () => {};

	#socket: Socket;
	#session: Session | undefined;
	#outgoing: Promise<void> = Promise.resolve();
	#incoming: Promise<void> = Promise.resolve();
	#over: Error | undefined;

	private constructor(socket: Socket) {
		this.#socket = socket;
		socket.onmessage = (event) => this.#arrived(event.data);
		socket.onclose = (event) => {
			// What came before the end is handed over before it.
			this.#incoming = this.#incoming.then(() => this.#ended(new Closed(event.code, event.reason)));
		};
	}

	static open(constructor: SocketConstructor, url: string, patience: number): Promise<Link> {
		return new Promise((resolve, reject) => {
			const socket = new constructor(url);
			const late = setTimeout(() => {
				socket.close();
				reject(new Closed(1006, "no connection in time"));
			}, patience);
			const link = new Link(socket);
			link.onclose = (why) => {
				clearTimeout(late);
				reject(why);
			};
			socket.onerror = () => {}; // a close follows, which says more
			socket.onopen = () => {
				clearTimeout(late);
				link.onclose = () => {};
				resolve(link);
			};
		});
	}

	/** Why it has ended; undefined while it has not. */
	get over(): Error | undefined {
		return this.#over;
	}

	/** From the next packet on, everything is encrypted in both directions. */
	encrypt(session: Session): void {
		this.#session = session;
	}

	/** Resolves when the packet is with the socket. */
	send(packet: Request): Promise<void> {
		const text = JSON.stringify(packet);
		const session = this.#session;
		const sealed = session?.seal(text); // takes its number now
		this.#outgoing = this.#outgoing.then(async () => {
			const out = sealed === undefined ? text : JSON.stringify({ enc: await sealed });
			if (this.#over === undefined) {
				this.#socket.send(out);
			}
		});
		return this.#outgoing;
	}

	close(): void {
		this.#socket.close(1000);
		this.#ended(new Closed(1000, "closed by the client"));
	}

	#arrived(data: unknown): void {
		this.#incoming = this.#incoming.then(async () => {
			if (this.#over !== undefined) {
				return;
			}
			try {
				this.onpacket(await this.#read(data));
			} catch (fault) {
				// Neither a frame of this session nor FD1: nothing after it can be trusted.
				this.#socket.close(1000);
				this.#ended(fault instanceof Error ? fault : new Error(String(fault)));
			}
		});
	}

	async #read(data: unknown): Promise<Response> {
		const packet = JSON.parse(String(data)) as Response;
		if (this.#session === undefined) {
			return packet;
		}
		return JSON.parse(await this.#session.open(String(packet.enc))) as Response;
	}

	#ended(why: Error): void {
		if (this.#over === undefined) {
			this.#over = why;
			this.onclose(why);
		}
	}
}
