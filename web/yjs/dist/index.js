import { Awareness as e, applyAwarenessUpdate as t, encodeAwarenessUpdate as n, removeAwarenessStates as r } from "y-protocols/awareness";
import { TurnoutError as i } from "@turnout/client";
import * as a from "yjs";
// src/awareness.ts
var o = 33, s = class {
	awareness;
	#e;
	#t;
	#n;
	constructor(e, t, n) {
		this.awareness = e, this.#e = t, this.#t = n, e.on("update", this.#r);
	}
	announce() {
		this.forget(), this.#i();
	}
	received(e) {
		try {
			t(this.awareness, e, this.#e);
		} catch {}
	}
	forget() {
		let { awareness: e } = this, t = [...e.getStates().keys()].filter((t) => t !== e.clientID);
		r(e, t, this.#e);
		for (let n of t) e.meta.delete(n);
	}
	destroy() {
		clearTimeout(this.#n), this.awareness.off("update", this.#r), this.forget();
	}
	#r = ({ added: e, updated: t, removed: n }) => {
		[
			...e,
			...t,
			...n
		].includes(this.awareness.clientID) && (this.#n ??= setTimeout(() => this.#i(), o));
	};
	#i() {
		clearTimeout(this.#n), this.#n = void 0, this.awareness.meta.has(this.awareness.clientID) && this.#t(n(this.awareness, [this.awareness.clientID]));
	}
}, c = class {
	#e = /* @__PURE__ */ new Map();
	on(e, t) {
		let n = this.#e.get(e);
		return n || this.#e.set(e, n = /* @__PURE__ */ new Set()), n.add(t), () => this.off(e, t);
	}
	once(e, t) {
		let n = this.on(e, (...e) => {
			n(), t(...e);
		});
		return n;
	}
	off(e, t) {
		this.#e.get(e)?.delete(t);
	}
	emit(e, ...t) {
		for (let n of [...this.#e.get(e) ?? []]) try {
			n(...t);
		} catch (e) {
			reportError(e);
		}
	}
}, l = class {
	#e = 0;
	#t = /* @__PURE__ */ new Set();
	made() {
		return this.#t.add(++this.#e), [this.#e];
	}
	get batch() {
		return [...this.#t];
	}
	get count() {
		return this.#t.size;
	}
	saved(e) {
		for (let t of e) this.#t.delete(t);
	}
}, u = 8, d = 256, f = 250, p = 3e4, m = 1e3, h = class {
	#e;
	#t;
	#n;
	#r = new l();
	#i;
	#a = "closed";
	#o = !1;
	#s = !0;
	#c = [];
	#l = 0;
	#u = 0;
	#d;
	constructor(e, t, n) {
		this.#e = e, this.#t = t, this.#n = n, e.on("update", this.#f);
	}
	get open() {
		return this.#a === "open" || this.#a === "comparing";
	}
	get started() {
		return this.#i !== void 0;
	}
	get writable() {
		return this.#s;
	}
	get unsynced() {
		return this.#r.count;
	}
	start(e) {
		this.#i = e({
			stateVector: () => (this.#x(this.open && !this.#o ? "comparing" : "opening"), a.encodeStateVector(this.#e)),
			opened: (e) => this.#g(e),
			changed: (e) => this.#_(e),
			awareness: (e) => this.#n.awareness(e),
			closed: (e) => this.#v(e)
		});
	}
	interrupted() {
		this.#o = !0;
	}
	awareness(e) {
		this.#i?.awareness(e);
	}
	stop() {
		clearTimeout(this.#d), this.#d = void 0, this.#i?.close(), this.#i = void 0, this.#x("closed");
	}
	destroy() {
		this.#e.off("update", this.#f), this.stop();
	}
	#f = (e, t) => {
		if (t === this.#t) return;
		let n = this.#r.made();
		this.#a === "open" && (this.#s ? this.#c.length >= d ? this.#i?.open() : (this.#c.push({
			update: e,
			batch: n
		}), this.#p()) : this.#b(m)), this.#n.changed();
	};
	#p() {
		if (this.#a !== "open" || this.#l >= u || this.#c.length === 0) return;
		let e = this.#c.splice(0), [t] = e, n = e.length === 1 && t ? t.update : a.mergeUpdates(e.map((e) => e.update)), r = e.flatMap((e) => e.batch);
		this.#m(n, r);
	}
	#m(e, t) {
		let n = this.#i;
		n && (this.#l++, n.update(e).then(() => {
			this.#r.saved(t), this.#u = 0, this.#h();
		}, (e) => {
			this.#i === n && this.#y(g(e)), this.#h();
		}));
	}
	#h() {
		this.#l--, this.#p(), this.#n.changed();
	}
	#g(e) {
		if (!this.#_(e.update)) return;
		this.#s = e.writable, this.#c = [];
		let t = a.encodeStateAsUpdate(this.#e, e.stateVector), { batch: n } = this.#r;
		n.length === 0 && v(t, e.update) && (n = this.#r.made()), this.#a = "open", this.#o = !1, this.#m(t, n), this.#n.opened(), this.#n.changed();
	}
	#_(e) {
		try {
			return a.applyUpdate(this.#e, e, this.#t), !0;
		} catch (e) {
			return this.#n.error(new i("doc.malformed", "an update of the server cannot be applied", {
				cause: e,
				retryable: !0
			})), this.#b(), !1;
		}
	}
	#v(e) {
		this.#x("closed"), this.#y(e);
	}
	#y(e) {
		switch (e.code) {
			case "aborted":
			case "data.lost": return;
			case "doc.readOnly":
			case "data.forbidden": return this.#n.denied(e);
			case "doc.equivocation": return this.#e.clientID = _(), this.#n.error(e), this.#b();
			default:
				if (e.retryable) return this.#b();
				this.#n.error(e);
		}
	}
	#b(e = Math.min(p, f * 2 ** this.#u++)) {
		this.#d ??= setTimeout(() => {
			this.#d = void 0, this.#i?.open();
		}, e);
	}
	#x(e) {
		this.#a = e, this.#c = [], this.#n.changed();
	}
};
function g(e) {
	return e instanceof i ? e : new i("server.internal", String(e), {
		cause: e,
		retryable: !0
	});
}
function _() {
	return crypto.getRandomValues(/* @__PURE__ */ new Uint32Array(1))[0] ?? 0;
}
function v(e, t) {
	let { structs: n, ds: r } = a.decodeUpdate(e);
	return n.length > 0 || r.clients.size > 0 && !a.equalDeleteSets(r, a.decodeUpdate(t).ds);
}
// src/provider.ts
var y = class t extends c {
	room;
	name;
	doc;
	awareness;
	whenSynced;
	#e;
	#t;
	#n = [];
	#r = {
		status: "disconnected",
		synced: !1,
		unsynced: 0,
		readOnly: !1
	};
	#i;
	#a = /* @__PURE__ */ new Map();
	#o = !1;
	constructor(e, t, n, r = {}) {
		super(), this.room = e, this.name = t, this.doc = n, this.whenSynced = new Promise((e) => this.#i = e), this.#t = new h(n, this, {
			changed: () => this.#u(),
			opened: () => this.#e?.announce(),
			awareness: (e) => this.#e?.received(e),
			denied: (e) => this.emit("denied", {
				reason: e.message,
				error: e
			}),
			error: (e) => this.emit("error", e)
		}), this.awareness = r.awareness === void 0 ? this.#s() : r.awareness, this.#e = this.awareness ? new s(this.awareness, this, (e) => this.#t.awareness(e)) : void 0, this.#n.push(e.on("transportsChanged", () => this.#u()), e.on("stateChanged", () => this.#u()));
		let i = () => this.destroy();
		n.on("destroy", i), this.#n.push(() => n.off("destroy", i)), r.subdocs !== !1 && this.#c(), r.connect !== !1 && this.connect();
	}
	get status() {
		return this.#r.status;
	}
	get synced() {
		return this.#r.synced;
	}
	get unsyncedChanges() {
		return this.#r.unsynced;
	}
	get hasUnsyncedChanges() {
		return this.unsyncedChanges > 0;
	}
	get readOnly() {
		return this.#r.readOnly;
	}
	get subdocs() {
		return new Map([...this.#a].map(([e, t]) => [e.guid, t]));
	}
	connect() {
		if (!(this.#o || this.#t.started)) {
			this.#t.start((e) => this.room.documents.open(this.name, e));
			for (let e of this.#a.values()) e.connect();
			this.#u();
		}
	}
	disconnect() {
		this.#t.stop(), this.#e?.forget();
		for (let e of this.#a.values()) e.disconnect();
		this.#u();
	}
	destroy() {
		if (!this.#o) {
			this.#o = !0;
			for (let e of this.#n) e();
			for (let e of this.#a.values()) e.destroy();
			this.#a.clear(), this.#t.destroy(), this.#e?.destroy(), this.#u();
		}
	}
	#s() {
		let t = new e(this.doc);
		return this.#n.push(() => t.destroy()), t;
	}
	#c() {
		let e = ({ loaded: e, removed: t }) => {
			for (let e of t) this.#a.get(e)?.destroy(), this.#a.delete(e);
			for (let t of e) this.#l(t);
			this.#u();
		};
		e({
			loaded: new Set([...this.doc.getSubdocs()].filter((e) => e.shouldLoad)),
			removed: /* @__PURE__ */ new Set()
		}), this.doc.on("subdocs", e), this.#n.push(() => this.doc.off("subdocs", e));
	}
	#l(e) {
		if (this.#a.has(e)) return;
		let n = new t(this.room, e.guid, e, {
			awareness: null,
			connect: this.#t.started
		});
		n.on("unsyncedChanges", () => this.#u()), n.on("denied", (e) => this.emit("denied", e)), n.on("error", (e) => this.emit("error", e)), this.#a.set(e, n);
	}
	#u() {
		let e = this.#r, t = this.#d(), n = t === "connected", r = this.#t.unsynced;
		for (let e of this.#a.values()) r += e.unsyncedChanges;
		let i = this.#r = {
			status: t,
			synced: n,
			unsynced: r,
			readOnly: !this.#t.writable
		};
		i.status !== e.status && this.emit("status", { status: t }), i.readOnly !== e.readOnly && this.emit("readOnly", i.readOnly), i.unsynced !== e.unsynced && this.emit("unsyncedChanges", r), i.synced !== e.synced && (n && this.#i(), this.emit("sync", n), this.emit("synced", n));
	}
	#d() {
		let { state: e, transports: t } = this.room;
		return (e === "idle" || e === "disconnected") && this.#t.interrupted(), !this.#t.started || e === "idle" || e === "disconnected" ? "disconnected" : t.data === "up" || t.data === "fallback" ? this.#t.open ? "connected" : "connecting" : (this.#t.interrupted(), "connecting");
	}
};
export { y as TurnoutProvider };

//# sourceMappingURL=index.js.map