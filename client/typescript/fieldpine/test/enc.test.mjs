// The encrypted session against the published vectors: the table of
// docs/fd1-encryption.md itself is read, so that the two cannot differ.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const dist = pathToFileURL((process.env.DIST ?? `${import.meta.dirname}/../dist`) + "/").href;
const { deriveK0, EncryptionError, parseHash, Session } = await import(dist + "enc.js");

const document = readFileSync(new URL("../../../../docs/fd1-encryption.md", import.meta.url), "utf8").split("## Test vectors")[1];

/** The values of the row that begins with a name. */
function row(name) {
	const line = document.split("\n").find((l) => l.startsWith(`| ${name} |`));
	assert.ok(line, `the document has no row "${name}"`);
	return [...line.slice(name.length + 3).matchAll(/`([^`]*)`/g)].map((m) => m[1]);
}

/** The enc below a packet's row. */
function encAfter(name) {
	const lines = document.split("\n");
	const at = lines.findIndex((l) => l.startsWith(`| ${name} |`));
	return lines[at + 1].match(/its `enc` \| `([^`]*)`/)[1];
}

const bytes = (text) => new TextEncoder().encode(text);
const hex = (b) => Buffer.from(b).toString("hex");

const [, user, secret] = row("tenant, user, secret");
const [serverNonce, clientNonce] = row("server nonce, client nonce (text)").map(bytes);
const [hashText] = row("hash");
const [k0Hex] = row("K0 (hex)");
const k0 = Uint8Array.from(Buffer.from(k0Hex, "hex"));

const client = () => Session.begin(k0, serverNonce, clientNonce, user);

test("hash", () => {
	assert.deepEqual(parseHash(hashText).nonce, serverNonce);
	for (const bad of ["", "1$$", hashText.replace("1$", "2$"), hashText + "$", hashText + "=", hashText.slice(0, -1)]) {
		assert.throws(() => parseHash(bad), EncryptionError, bad);
	}
});

test("K0", async () => {
	assert.equal(hex(await deriveK0(secret, parseHash(hashText).salt)), k0Hex);
});

test("what the client seals", async () => {
	const session = await client();
	for (const which of ["client's first packet", "client's second packet"]) {
		const [packet] = row(which);
		assert.equal(await session.seal(packet), encAfter(which), which);
	}
});

test("what the server sealed", async () => {
	const [packet] = row("server's first packet");
	assert.equal(await (await client()).open(encAfter("server's first packet")), packet);
});

test("frames that are refused", async (t) => {
	const good = encAfter("server's first packet");
	const frame = Buffer.from(good, "base64");
	const altered = (at) => {
		const copy = Buffer.from(frame);
		copy[at] ^= 1;
		return copy.toString("base64");
	};
	const refused = (name, enc) => t.test(name, async () => {
		await assert.rejects((await client()).open(enc), EncryptionError);
	});
	await refused("altered", altered(frame.length - 1));
	await refused("counter altered", altered(7));
	await refused("too short", frame.subarray(0, 23).toString("base64"));
	await refused("not base64", good + "\n");
	await refused("another spelling", good.replace(/=+$/, ""));
	await refused("its own, reflected", encAfter("client's second packet"));
	await t.test("replayed", async () => {
		const session = await client();
		await session.open(good);
		await assert.rejects(session.open(good), EncryptionError);
	});
	await t.test("of another user", async () => {
		const session = await Session.begin(k0, serverNonce, clientNonce, "eve@shop.example");
		await assert.rejects(session.open(good), EncryptionError);
	});
});
