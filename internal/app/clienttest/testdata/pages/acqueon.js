// A dashboard, as a page would have it: the credential stands in the URL.
const boards = [];

// Opens a socket; resolves with what came first, a message or the end.
function open(url) {
	const socket = new WebSocket(url);
	const board = { socket, waiting: [], arrived: [] };
	const came = (what) => board.waiting.length > 0 ? board.waiting.shift()(what) : board.arrived.push(what);
	socket.onmessage = (event) => came({ message: JSON.parse(event.data) });
	socket.onclose = (event) => came(board.end = { code: event.code, reason: event.reason });
	return next(boards.push(board) - 1);
}

// The next message of a board, or its end, after which nothing else comes.
function next(n) {
	const { arrived, waiting, end } = boards[n];
	if (arrived.length > 0) {
		return arrived.shift();
	}
	return end ?? new Promise((resolve) => waiting.push(resolve));
}

function send(n, text) {
	boards[n].socket.send(text);
	return next(n);
}

function shut(n) {
	boards[n].socket.close();
	return next(n);
}
