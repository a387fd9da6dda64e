/**
 * The encrypted session of FD1, profile version 1, from what a browser has in
 * WebCrypto. It does no I/O. The rules and test vectors are in
 * docs/fd1-encryption.md; the Go code of both ends is client/fieldpine/enc.
 *
 * K0 comes from the user's secret and a salt; one key for each direction comes
 * from K0 and a nonce of each side. A frame is an 8-byte counter and AES-256-GCM
 * ciphertext. The counter rises by exactly one in each direction, so frames can
 * neither be replayed nor reordered nor dropped.
 */

export type Bytes = Uint8Array<ArrayBuffer>;

const iterations = 600_000;
const nonceSize = 16;
const saltSize = 16;
const counterSize = 8;
const tagSize = 16;

/** What a server answers to a user's name. */
export interface Hash {
	salt: Bytes;
	/** The server's nonce, new for each login. */
	nonce: Bytes;
}

/** Any fault of a hash or a frame. It says no more: the other end is told nothing. */
export class EncryptionError extends Error {
	override name = "EncryptionError";
}

/** Reads "1$salt$nonce". */
export function parseHash(text: string): Hash {
	const parts = text.split("$");
	const [version, salt, nonce] = parts;
	if (parts.length !== 3 || version !== "1" || salt === undefined || nonce === undefined) {
		throw new EncryptionError("not a hash of profile version 1");
	}
	const hash = { salt: fromBase64URL(salt), nonce: fromBase64URL(nonce) };
	if (hash.salt.length !== saltSize || hash.nonce.length !== nonceSize) {
		throw new EncryptionError("not a hash of profile version 1");
	}
	return hash;
}

/** The long-term key of a user. It is as good as the secret, and slow to make. */
export async function deriveK0(secret: string, salt: Bytes): Promise<Bytes> {
	const key = await crypto.subtle.importKey("raw", utf8(secret), "PBKDF2", false, ["deriveBits"]);
	const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, 256);
	return new Uint8Array(bits);
}

/** The client's nonce for one login. */
export function newNonce(): Bytes {
	return crypto.getRandomValues(new Uint8Array(nonceSize));
}

/**
 * The client's end of a session. Frames must be sent in the order of the calls
 * of seal, and those of the other end given to open in the order they came, one
 * after the other.
 */
export class Session {
	#out: CryptoKey;
	#in: CryptoKey;
	#associated: Bytes;
	#before: Bytes; // the client's nonce, until its first frame has gone
	#sent = 0n;
	#received = 0n;

	private constructor(out: CryptoKey, into: CryptoKey, associated: Bytes, before: Bytes) {
		this.#out = out;
		this.#in = into;
		this.#associated = associated;
		this.#before = before;
	}

	/** user is the name as it was sent; client is newNonce(), but in tests. */
	static async begin(k0: Bytes, server: Bytes, client: Bytes, user: string): Promise<Session> {
		const nonces = join(server, client);
		const base = await crypto.subtle.importKey("raw", k0, "HKDF", false, ["deriveKey"]);
		const direction = (name: string, use: "encrypt" | "decrypt") => crypto.subtle.deriveKey(
			{ name: "HKDF", hash: "SHA-256", salt: nonces, info: utf8(`fd1-enc-v1 ${name} ${user}`) },
			base, { name: "AES-GCM", length: 256 }, false, [use]);
		const [out, into] = await Promise.all([direction("c2s", "encrypt"), direction("s2c", "decrypt")]);
		return new Session(out, into, nonces, client);
	}

	/** Encrypts the next packet and returns the text of its enc member. */
	async seal(packet: string): Promise<string> {
		const counter = ++this.#sent;
		const before = this.#before;
		this.#before = new Uint8Array();
		const ciphertext = await crypto.subtle.encrypt(this.#gcm(counter), this.#out, utf8(packet));
		return toBase64(join(before, counterBytes(counter), new Uint8Array(ciphertext)));
	}

	/** Decrypts the text of an enc member. After an error the session is over. */
	async open(enc: string): Promise<string> {
		const frame = fromBase64(enc);
		if (frame.length < counterSize + tagSize) {
			throw new EncryptionError("frame is too short");
		}
		const counter = new DataView(frame.buffer).getBigUint64(0);
		if (counter !== this.#received + 1n) {
			throw new EncryptionError("frame is not the next one");
		}
		this.#received = counter;
		try {
			const packet = await crypto.subtle.decrypt(this.#gcm(counter), this.#in, frame.subarray(counterSize));
			return new TextDecoder("utf-8", { fatal: true }).decode(packet);
		} catch {
			throw new EncryptionError("frame does not decrypt");
		}
	}

	#gcm(counter: bigint): AesGcmParams {
		return { name: "AES-GCM", iv: join(new Uint8Array(4), counterBytes(counter)), additionalData: this.#associated };
	}
}

function counterBytes(counter: bigint): Bytes {
	const bytes = new Uint8Array(counterSize);
	new DataView(bytes.buffer).setBigUint64(0, counter);
	return bytes;
}

function utf8(text: string): Bytes {
	return new TextEncoder().encode(text);
}

function join(...parts: Bytes[]): Bytes {
	const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all;
}

function toBase64(bytes: Bytes): string {
	let text = "";
	for (let at = 0; at < bytes.length; at += 0x8000) { // an argument list has limits
		text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
	}
	return btoa(text);
}

/** Strict, unlike atob: one spelling for each value. */
function fromBase64(text: string): Bytes {
	let decoded = "";
	try {
		decoded = atob(text);
	} catch {
		throw new EncryptionError("not base64");
	}
	if (btoa(decoded) !== text) {
		throw new EncryptionError("not base64");
	}
	return Uint8Array.from(decoded, (c) => c.charCodeAt(0));
}

function fromBase64URL(text: string): Bytes {
	if (/[+/=]/.test(text)) {
		throw new EncryptionError("not base64url");
	}
	const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - text.length % 4) % 4);
	return fromBase64(padded);
}
