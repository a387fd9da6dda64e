import { Calls, faultOf, request } from "./calls.js";
import { Link, type SocketConstructor } from "./link.js";
import { login } from "./login.js";
import { clock, Closed, type Credential, type Event, type Fields, NoAnswer, type Push, type Response } from "./packet.js";

export interface Options {
	/** Where there is no global one, as in Node 20: that of the ws package. */
	WebSocket?: SocketConstructor;
	/** Milliseconds; the defaults are 10, 60, 1 and 60 seconds. */
	loginTimeout?: number;
	callTimeout?: number;
	/** The first wait between attempts to come back, after one at once, and the longest. */
	pause?: number;
	longestPause?: number;
	/** Is told what the server says by itself. */
	onPush?: (push: Push) => void;
	/** Is told when the client is logged in (undefined) and why it is not any more. */
	onState?: (error: Error | undefined) => void;
}

/** A credential, or a function that is asked for one before each login. */
export type CredentialSource = Credential | (() => Credential | Promise<Credential>);

interface Firehose {
	id: string;
	event: string;
	query: Record<string, unknown>;
}

interface Connection {
	/** Resolves when the socket has ended. */
	ended: Promise<Error>;
}

interface FurtherLogin {
	source: CredentialSource;
	rt: string | undefined;
}

/** How long a connection must last to have been a good one. */
const steady = 30_000;

/**
 * A client that comes back: after a socket has ended it opens another one, logs
 * in again, and opens the firehoses again that were open. What was asked and not
 * answered when the socket ended fails with Closed.
 */
export class Client {
	#url: string;
	#source: CredentialSource;
	#options: Options;
	#calls = new Calls();
	#link: Link | undefined;
	#further: FurtherLogin[] = [];
	#hoses = new Set<Firehose>();
	#geo: Record<string, number | null> | undefined;
	#alternative: string | undefined;
	#stopped = false;
	#wake: () => void = () => {};

	constructor(url: string, credential: CredentialSource, options: Options = {}) {
		this.#url = url;
		this.#source = credential;
		this.#options = options;
	}

	/**
	 * Opens the first socket and logs in. It fails with NoAnswer when the server
	 * does not want the credential, and does not try again then.
	 */
	async connect(): Promise<void> {
		const began = Date.now();
		void this.#keep(await this.#establish(this.#url), began);
	}

	/** Ends the socket for good. */
	close(): void {
		this.#stopped = true;
		this.#wake();
		this.#link?.close();
	}

	/** Sends a request and returns the data of its answer, or throws FD1Error. */
	async call(action: string, fields: Fields = {}, signal?: AbortSignal): Promise<unknown> {
		const answer = await this.#calls.ask(this.#current(), action, fields, this.#options.callTimeout ?? 60_000, signal);
		return answer.data;
	}

	/** Sends a request whose answer is a long list, and returns its rows chunk by chunk. */
	async *chunks(action: string, fields: Fields = {}): AsyncGenerator<unknown[], void> {
		const link = this.#current();
		const answers: (Response | Error)[] = [];
		let arrived = () => {};
		const id = this.#calls.wait((answer) => {
			answers.push(answer);
			arrived();
		});
		let whole = false;
		try {
			await link.send({ ...request(action, fields, id), mo: "chunk" });
			while (!whole) {
				const answer = answers.shift() ?? await new Promise<undefined>((resolve) => { arrived = () => resolve(undefined); });
				if (answer === undefined) {
					continue;
				}
				const fault = faultOf(answer);
				if (fault) {
					whole = true;
					throw fault;
				}
				const data = (answer as Response).data as { rows?: unknown[]; last?: boolean };
				whole = data.last !== false;
				yield data.rows ?? [data];
			}
		} finally {
			this.#calls.forget(id);
			if (!whole) {
				void link.send({ a: "fd1.session.cancel_request", k: id });
			}
		}
	}

	/**
	 * Opens a stream of events and resolves once the server lets it; the result
	 * ends it. It is opened again on a new socket. ended is told when the server
	 * ends it, because the right to it is gone.
	 */
	async firehose(event: string, query: Record<string, unknown>, listener: (event: Event) => void,
		ended: (why: Error) => void = () => {}): Promise<() => void> {
		const link = this.#current();
		const hose: Firehose = { id: "", event, query };
		await new Promise<void>((resolve, reject) => {
			hose.id = this.#calls.wait((answer) => {
				const fault = faultOf(answer);
				const open = this.#hoses.has(hose);
				if (fault instanceof Closed && open) {
					return; // it is opened again
				}
				if (fault) {
					this.#drop(hose);
					open ? ended(fault) : reject(fault);
				} else if ((answer as Response).v === undefined) {
					this.#hoses.add(hose);
					resolve();
				} else {
					const { sc, v } = answer as Response;
					listener(sc === undefined ? { values: v } : { schema: sc, values: v });
				}
			});
			void this.#open(link, hose);
		});
		return () => {
			if (this.#drop(hose) && this.#link?.over === undefined) {
				void this.#link?.send({ a: "fd1.session.cancel_request", k: hose.id });
			}
		};
	}

	/**
	 * Shows one more credential, which adds to what may be done; with a thread, for
	 * requests of that thread alone. It is shown again on a new socket.
	 */
	async login(credential: CredentialSource, rt?: string): Promise<void> {
		const further = { source: credential, rt };
		await this.#show(this.#current(), further);
		this.#further.push(further);
	}

	/** Says where the client is: navigator.geolocation's coords, as soon as they are there. */
	async position(coords: { latitude: number; longitude: number; accuracy: number; altitude: number | null; altitudeAccuracy: number | null }): Promise<void> {
		const { latitude, longitude, accuracy, altitude, altitudeAccuracy } = coords;
		this.#geo = { latitude, longitude, accuracy, altitude, altitudeAccuracy };
		await this.call("fd1.session.set_option", { v: { geo: this.#geo } });
	}

	#current(): Link {
		if (this.#link === undefined || this.#link.over !== undefined) {
			throw this.#link?.over ?? new Closed(1006, "not connected");
		}
		return this.#link;
	}

	#drop(hose: Firehose): boolean {
		this.#calls.forget(hose.id);
		return this.#hoses.delete(hose);
	}

	#open(link: Link, hose: Firehose): Promise<void> {
		return link.send(request("fd1.firehose.open_firehose", { v: { event: hose.event }, q: hose.query }, hose.id));
	}

	/** Opens a socket and logs in. */
	async #establish(url: string): Promise<Connection> {
		const patience = this.#options.loginTimeout ?? 10_000;
		const constructor = this.#options.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
		if (constructor === undefined) {
			throw new TypeError("this environment has no WebSocket; give one in the options");
		}
		const link = await Link.open(constructor, url, patience);
		const ended = new Promise<Error>((resolve) => {
			link.onclose = (why) => {
				this.#calls.fail(why);
				resolve(why);
			};
		});
		link.onpacket = (packet) => this.#arrived(packet);
		try {
			await this.#show(link, { source: this.#source, rt: undefined });
			await this.#restore(link);
		} catch (fault) {
			link.close();
			throw fault;
		}
		if (this.#stopped) {
			link.close();
		}
		this.#link = link;
		this.#options.onState?.(undefined);
		return { ended };
	}

	async #show(link: Link, which: FurtherLogin): Promise<void> {
		const credential = typeof which.source === "function" ? await which.source() : which.source;
		const ask = this.#calls.ask.bind(this.#calls);
		await login(link, ask, credential, which.rt, this.#options.loginTimeout ?? 10_000);
	}

	/** Makes a new socket what the last one was. */
	async #restore(link: Link): Promise<void> {
		for (const further of [...this.#further]) {
			await this.#show(link, further).catch((fault) => {
				if (!(fault instanceof NoAnswer) || link.over !== undefined) {
					throw fault;
				}
				this.#further.splice(this.#further.indexOf(further), 1); // it is gone, the others are not
			});
		}
		if (this.#geo !== undefined) {
			await link.send({ a: "fd1.session.set_option", v: { geo: this.#geo, ...clock(new Date()) } });
		}
		for (const hose of this.#hoses) {
			await this.#open(link, hose);
		}
	}

	#arrived(packet: Response): void {
		if (packet.a === undefined) {
			this.#calls.deliver(packet);
			return;
		}
		if (packet.a === "fn1.link.link_status") {
			this.#alternative = alternativeOf(packet.v, this.#url);
		}
		this.#options.onPush?.({ action: packet.a, values: packet.v });
	}

	/** Waits for the end of a socket and opens the next one, until close is called. */
	async #keep(connection: Connection | undefined, began: number): Promise<void> {
		let pause = 0; // the first attempt comes at once
		for (;;) {
			if (connection !== undefined) {
				this.#options.onState?.(await connection.ended);
				pause = Date.now() - began > steady ? 0 : pause;
			}
			if (!this.#stopped) {
				await this.#sleep(pause / 2 + Math.random() * pause / 2); // by chance, so that not all come at once
			}
			if (this.#stopped) {
				return;
			}
			pause = Math.min(Math.max(2 * pause, this.#options.pause ?? 1_000), this.#options.longestPause ?? 60_000);
			const url = this.#alternative ?? this.#url;
			this.#alternative = undefined; // once; then the usual one
			began = Date.now();
			try {
				connection = await this.#establish(url);
			} catch (fault) {
				connection = undefined;
				this.#options.onState?.(fault as Error);
			}
		}
	}

	#sleep(milliseconds: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = setTimeout(resolve, milliseconds);
			this.#wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}
}

/** The first server of the list that is no less private than the usual one. */
function alternativeOf(status: unknown, usual: string): string | undefined {
	const servers = (status as { servers?: { url?: unknown }[] } | undefined)?.servers;
	if (!Array.isArray(servers)) {
		return undefined;
	}
	const secure = new URL(usual).protocol === "wss:";
	return servers.map((server) => String(server?.url)).find((url) => url.startsWith("wss://") || !secure && url.startsWith("ws://"));
}
