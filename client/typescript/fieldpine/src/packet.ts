/** What travels, and what can go wrong. */

/** How a client proves who it is. The secret of an encrypted user is never sent. */
export type Credential =
	| { apikey: string }
	/** A token, or the whole link that a scanned code holds. */
	| { token: string }
	| { user: string; secret: string };

/** The members of a request beside its action and its id. */
export interface Fields {
	/** Query; keys may carry an operator: {"dbm(>=)": -70}. */
	q?: Record<string, unknown>;
	/** Query keywords. */
	qk?: string | string[];
	/** Wanted output fields. */
	qo?: unknown;
	/** Key of one record. */
	k?: string | number;
	/** Values. */
	v?: Record<string, unknown>;
	/** Thread: requests of a session of its own, see Client.login. */
	rt?: string;
}

export interface Request extends Fields {
	a: string;
	rq?: string;
	mo?: string;
}

/** Anything a server sends. */
export interface Response {
	r?: string;
	rp?: string | number;
	rt?: string;
	ch?: number;
	data?: unknown;
	error?: { Code: number; Message: string; Severity?: string };
	/** Of events and of pushes. */
	sc?: string;
	a?: string;
	v?: unknown;
	enc?: string;
}

/** An event of a firehose. */
export interface Event {
	/** Such as "device.bluetooth.announcement"; some events have none. */
	schema?: string;
	values: unknown;
}

/** A message that the server began: action begins with "fn1.". */
export interface Push {
	action: string;
	values: unknown;
}

/** What a server answers instead of data. Program against code; the message may change. */
export class FD1Error extends Error {
	override name = "FD1Error";
	constructor(readonly code: number, message: string) {
		super(message);
	}
}

/** The login was not answered. The protocol never says why. */
export class NoAnswer extends Error {
	override name = "NoAnswer";
	constructor() {
		super("the login was not answered");
	}
}

/** The socket has ended, with what the server said about it. */
export class Closed extends Error {
	override name = "Closed";
	constructor(readonly code: number, readonly reason: string) {
		super(`the socket is closed: ${code} ${reason}`.trimEnd());
	}
}

/** The options of a login that say where and when the client is. */
export function clock(now: Date): { tz: number; localtime: string } {
	const two = (n: number) => String(n).padStart(2, "0");
	return {
		tz: now.getTimezoneOffset(),
		localtime: `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ` +
			`${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${String(now.getMilliseconds()).padStart(3, "0")}`,
	};
}
