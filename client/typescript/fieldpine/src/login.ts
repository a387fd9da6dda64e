/** The ways to log in on a new socket. */

import { deriveK0, newNonce, parseHash, Session } from "./enc.js";
import type { Link } from "./link.js";
import { clock, Closed, type Credential, type Fields, NoAnswer, type Response } from "./packet.js";

/** Asks on a link and waits for the one answer. */
export type Ask = (link: Link, action: string, fields: Fields, patience: number) => Promise<Response>;

/**
 * Logs in and resolves once the server has said so. A refusal is silence, so it
 * takes all of patience (in milliseconds) to be noticed; NoAnswer then.
 */
export async function login(link: Link, ask: Ask, credential: Credential, rt: string | undefined, patience: number): Promise<void> {
	const thread = rt === undefined ? {} : { rt };
	try {
		if (!("user" in credential)) {
			await ask(link, "fd1.session.login", { v: { ...credential, ...clock(new Date()) }, ...thread }, patience);
			return;
		}
		const began = Date.now();
		const answer = await ask(link, "fd1.session.login", { v: { encryption_user: credential.user } }, patience);
		const hash = parseHash((answer.data as { hash: string }).hash);
		const k0 = await deriveK0(credential.secret, hash.salt);
		link.encrypt(await Session.begin(k0, hash.nonce, newNonce(), credential.user));
		// Both ends know each other once a packet has been decrypted on either side.
		await ask(link, "fd1.session.set_option", { v: clock(new Date()) }, patience - (Date.now() - began));
	} catch (fault) {
		// A server ends what it does not believe without a word.
		const refused = fault instanceof Late || fault instanceof Closed && fault.code === 1008;
		throw refused ? new NoAnswer() : fault;
	}
}

/** An answer did not come in time. */
export class Late extends Error {
	override name = "Late";
	constructor(action: string) {
		super(`${action} was not answered in time`);
	}
}
