// A page that runs documented samples as they are, and watches their sockets
// from outside.
const waiting = [];
const arrived = [];
let end;

function came(what) {
	waiting.length > 0 ? waiting.shift()(what) : arrived.push(what);
}

// The next message of the watched socket, or its end, after which nothing else
// comes.
function next() {
	if (arrived.length > 0) {
		return arrived.shift();
	}
	return end ?? new Promise((resolve) => waiting.push(resolve));
}

// Runs a program as if it stood in the page.
function run(program) {
	const script = document.createElement("script");
	script.textContent = program;
	document.head.append(script);
}

// Runs a program that opens a socket, and watches that before anything can come.
function start(program, name) {
	run(program);
	watch(eval(name));
}

function watch(socket) {
	socket.addEventListener("message", (event) => came(JSON.parse(event.data)));
	socket.addEventListener("close", (event) => came(end = { code: event.code, reason: event.reason }));
}

// Sends a documented packet, which is an object literal there.
function say(socket, literal) {
	socket.send(JSON.stringify(eval(`(${literal})`)));
}

function opened(socket) {
	return new Promise((resolve) => {
		socket.readyState === 1 ? resolve() : socket.addEventListener("open", () => resolve());
	});
}

// Whether nothing comes for so many milliseconds.
function silent(milliseconds) {
	return new Promise((resolve) => setTimeout(() => resolve(arrived.length === 0), milliseconds));
}

// Holds back where the page is until release is called: positions take a while.
let release;
function holdPosition() {
	const locate = navigator.geolocation.getCurrentPosition.bind(navigator.geolocation);
	const held = new Promise((resolve) => { release = resolve; });
	navigator.geolocation.getCurrentPosition = (success, failure) => locate((position) => held.then(() => success(position)), failure);
}

// Resolves when the sample has got its position.
async function located() {
	while (sGeo === null) {
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	return sGeo.accuracy;
}
