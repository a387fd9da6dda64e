// A page with the TypeScript client, and with its encryption alone for doing
// what the client never would.
import { Client } from "/fd1/index.js";
import { deriveK0, newNonce, parseHash, Session } from "/fd1/enc.js";

let client;
const events = [];
const waiting = [];

function tell(event) {
	waiting.length > 0 ? waiting.shift()(event) : events.push(event);
}

const page = {
	// The next thing that the client was told.
	next: () => events.length > 0 ? events.shift() : new Promise((resolve) => waiting.push(resolve)),

	async connect(url, credential, options = {}) {
		client = new Client(url, credential, {
			...options,
			pause: 50,
			onPush: (push) => tell({ push }),
			onState: (error) => tell(error === undefined ? { up: true } : { down: String(error) }),
		});
		return said(client.connect());
	},
	call: (action, fields) => said(client.call(action, fields)),
	login: (credential, thread) => said(client.login(credential, thread)),
	position: (coords) => said(client.position(coords)),
	close: () => client.close(),

	async chunks(action) {
		const sizes = [];
		for await (const rows of client.chunks(action)) {
			sizes.push(rows.length);
		}
		return sizes;
	},

	firehose: (event, query) => said(client.firehose(event, query, (e) => tell({ event: e }), (why) => tell({ ended: String(why) }))),

	// The published vectors with this browser's WebCrypto.
	async vectors(secret, hash, clientNonce, user, packets, sealedByServer) {
		const { salt, nonce } = parseHash(hash);
		const k0 = await deriveK0(secret, salt);
		const session = await Session.begin(k0, nonce, new TextEncoder().encode(clientNonce), user);
		const encs = [];
		for (const packet of packets) {
			encs.push(await session.seal(packet));
		}
		return { k0: [...k0].map((b) => b.toString(16).padStart(2, "0")).join(""), encs, opened: await session.open(sealedByServer) };
	},

	// Logs in by encrypting, and then sends what attack makes of three packets.
	// Returns all that came after the hash.
	async attack(url, user, secret, kind) {
		const socket = new WebSocket(url);
		const came = [];
		let arrived = () => {};
		socket.onmessage = (event) => { came.push({ text: event.data }); arrived(); };
		const ended = new Promise((resolve) => {
			socket.onclose = (event) => { came.push({ code: event.code, reason: event.reason }); arrived(); resolve(); };
		});
		const hear = async (n) => {
			while (came.length < n && socket.readyState === 1) {
				await new Promise((resolve) => { arrived = resolve; });
			}
		};
		await new Promise((resolve) => { socket.onopen = resolve; });
		socket.send(JSON.stringify({ a: "fd1.session.login", v: { encryption_user: user } }));
		await hear(1);
		const { salt, nonce } = parseHash(JSON.parse(came.shift().text).data.hash);
		const session = await Session.begin(await deriveK0(secret, salt), nonce, newNonce(), user);
		const seal = async (id) => JSON.stringify({ enc: await session.seal(JSON.stringify({ a: "fd1.products.get_products", rq: id })) });
		const frames = [await seal(1), await seal(2), await seal(3)];
		socket.send(frames[0]);
		await hear(1);
		for (const text of attacks[kind](frames)) {
			const heard = came.length;
			socket.send(text);
			await hear(heard + 1);
		}
		await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
		const opened = [];
		for (const what of came) {
			opened.push(what.text === undefined ? what : { packet: JSON.parse(await session.open(JSON.parse(what.text).enc)) });
		}
		return opened;
	},
};

const attacks = {
	replayed: ([, second]) => [second, second],
	first_replayed: ([first]) => [first],
	reordered: ([, second, third]) => [third, second],
	altered: ([, second]) => [alter(second)],
	clear: () => [JSON.stringify({ a: "fd1.products.get_products", rq: 2 })],
	clear_login: () => [JSON.stringify({ a: "fd1.session.login", v: { apikey: "x" } })],
	clear_beside: ([, second]) => [JSON.stringify({ ...JSON.parse(second), a: "fd1.products.get_products" })],
	none: () => [],
};

// One bit of the ciphertext is another one.
function alter(frame) {
	const bytes = Uint8Array.from(atob(JSON.parse(frame).enc), (c) => c.charCodeAt(0));
	bytes[bytes.length - 20] ^= 1;
	return JSON.stringify({ enc: btoa(String.fromCharCode(...bytes)) });
}

// What a promise came to, as JSON can have it.
async function said(promise) {
	try {
		return { data: (await promise) ?? null };
	} catch (error) {
		return { error: error.name, code: error.code ?? 0 };
	}
}

globalThis.page = page;
