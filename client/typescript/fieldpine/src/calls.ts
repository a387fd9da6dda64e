/** Requests that wait for their answers, by request id. */

import type { Link } from "./link.js";
import { Late } from "./login.js";
import { FD1Error, type Fields, type Request, type Response } from "./packet.js";

/** Takes answers until it is forgotten; an Error when none can come any more. */
export type Waiter = (answer: Response | Error) => void;

export class Calls {
	#waiting = new Map<string, Waiter>();
	#last = 0;

	/** A new request id, under which waiter is told. */
	wait(waiter: Waiter): string {
		const id = String(++this.#last);
		this.#waiting.set(id, waiter);
		return id;
	}

	forget(id: string): void {
		this.#waiting.delete(id);
	}

	deliver(packet: Response): void {
		this.#waiting.get(String(packet.rp))?.(packet);
	}

	/** Tells all who wait that the socket has ended. */
	fail(why: Error): void {
		for (const waiter of [...this.#waiting.values()]) {
			waiter(why);
		}
	}

	/** Sends one request and waits for its one answer. */
	ask(link: Link, action: string, fields: Fields, patience: number, signal?: AbortSignal): Promise<Response> {
		return new Promise((resolve, reject) => {
			const id = this.wait((answer) => {
				settled();
				const fault = faultOf(answer);
				fault ? reject(fault) : resolve(answer as Response);
			});
			const giveUp = (why: unknown) => {
				settled();
				reject(why);
				// Nobody waits for the answer any more; the server need not work on it.
				void link.send({ a: "fd1.session.cancel_request", k: id });
			};
			const late = setTimeout(() => giveUp(new Late(action)), patience);
			const aborted = () => giveUp(signal?.reason);
			const settled = () => {
				clearTimeout(late);
				signal?.removeEventListener("abort", aborted);
				this.forget(id);
			};
			signal?.addEventListener("abort", aborted);
			if (signal?.aborted) {
				settled();
				reject(signal.reason);
				return;
			}
			link.send(request(action, fields, id)).catch((why) => {
				settled();
				reject(why);
			});
		});
	}
}

export function request(action: string, fields: Fields, id: string): Request {
	return { a: action, ...fields, rq: id };
}

/** The error that an answer is, if it is one. */
export function faultOf(answer: Response | Error): Error | undefined {
	if (answer instanceof Error) {
		return answer;
	}
	return answer.error && new FD1Error(answer.error.Code, answer.error.Message);
}
