// A dashboard with the ws package, the credential in the URL. Prints what came,
// step by step, as JSON.
import WebSocket from "ws";

const [first, initialization, again, impostor, refused] = process.argv.slice(2);

function open(url) {
	const socket = new WebSocket(url);
	const waiting = [];
	const arrived = [];
	const came = (what) => waiting.length > 0 ? waiting.shift()(what) : arrived.push(what);
	socket.on("message", (data) => came({ message: JSON.parse(data) }));
	socket.on("close", (code, reason) => came({ code, reason: String(reason) }));
	socket.on("error", () => {}); // close says more
	socket.next = () => new Promise((resolve) => arrived.length > 0 ? resolve(arrived.shift()) : waiting.push(resolve));
	return socket;
}

const steps = [];
let socket = open(first);
steps.push(await socket.next());
socket.send(initialization);
steps.push(await socket.next());
socket.close();

socket = open(again);
steps.push(await socket.next());
socket.send(impostor);
steps.push(await socket.next());

steps.push(await open(refused).next());
console.log(JSON.stringify(steps));
