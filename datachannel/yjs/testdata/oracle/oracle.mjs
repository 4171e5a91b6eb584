// Yjs itself, asked by the Go tests: one JSON object a line in, one out.
//   {"cmd": "case", "seed": n}  makes a random history of three clients -> {updates, delivered, vectors}
//   {"cmd": "check", ...}       compares what Go made of it with what Yjs makes of it -> {} or {error}
//   {"cmd": "trace", "edits": n} a long text by four clients -> {updates}
//   {"cmd": "text", "update": hex} -> {text}
//   {"cmd": "decode", "update": hex} -> {} or {error}: can Yjs read it?
//   {"cmd": "awareness"}        a history of awareness updates and what Yjs makes of it -> {updates, states}
import * as readline from 'node:readline'
import * as Y from 'yjs'
import * as awarenessProtocol from 'y-protocols/awareness'

const hex = bytes => Buffer.from(bytes).toString('hex')
const bytes = text => new Uint8Array(Buffer.from(text, 'hex'))

// mulberry32 gives the same numbers for the same seed.
const generator = seed => {
  let a = seed >>> 0
  const next = () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const int = n => Math.floor(next() * n)
  return { next, int, of: list => list[int(list.length)] }
}

const words = ['a', 'hello ', 'wörld', '👋', '👩‍👩‍👧', '\n', 'x'.repeat(40), '日本', '"quoted"', '\ud83d\ude00\ud83d\ude01']

const value = (r, depth = 0) => {
  switch (r.int(depth > 2 ? 9 : 12)) {
    case 0: return r.int(1000) - 500
    case 1: return r.next() * 1e10
    case 2: return r.of(words)
    case 3: return null
    case 4: return true
    case 5: return new Uint8Array([r.int(256), r.int(256)])
    case 6: return 2 ** 40 + r.int(100)
    case 7: return 0.5
    case 8: return depth > 0 ? undefined : false
    case 9: return { k: value(r, depth + 1), ü: value(r, depth + 1) }
    case 10: return [value(r, depth + 1), value(r, depth + 1)]
    default: return {}
  }
}

const type = r => {
  switch (r.int(5)) {
    case 0: return new Y.Text(r.of(words))
    case 1: return new Y.Array()
    case 2: return new Y.Map()
    case 3: return new Y.XmlElement('p')
    default: return new Y.Doc({ guid: 'sub' + r.int(10), meta: { n: r.int(5) } })
  }
}

const editText = (r, text) => {
  const at = r.int(text.length + 1)
  const rest = text.length - at
  switch (r.int(6)) {
    case 0: case 1: text.insert(at, r.of(words)); break
    case 2: if (rest > 0) text.delete(at, 1 + r.int(Math.min(rest, 8))); break
    case 3: if (rest > 0) text.format(at, 1 + r.int(rest), { [r.of(['bold', 'em'])]: r.of([true, null, { c: 1 }]) }); break
    case 4: text.insertEmbed(at, { image: r.of(words) }); break
    default: text.insert(at, r.of(words), { bold: true }); break
  }
}

const editArray = (r, array) => {
  const at = r.int(array.length + 1)
  if (array.length > 0 && r.int(3) === 0) {
    const from = r.int(array.length)
    array.delete(from, 1 + r.int(Math.min(array.length - from, 4)))
  } else if (r.int(4) === 0) {
    array.insert(at, [type(r)])
  } else {
    array.insert(at, Array.from({ length: 1 + r.int(3) }, () => value(r)))
  }
}

const editMap = (r, map) => {
  const key = r.of(['a', 'b', 'ü'])
  if (r.int(4) === 0) map.delete(key)
  else map.set(key, r.int(4) === 0 ? type(r) : value(r))
}

const editXml = (r, xml) => {
  const at = r.int(xml.length + 1)
  switch (r.int(4)) {
    case 0: xml.insert(at, [new Y.XmlElement(r.of(['div', 'p']))]); break
    case 1: xml.insert(at, [new Y.XmlText(r.of(words))]); break
    case 2: if (xml.length > 0) xml.delete(r.int(xml.length), 1); break
    default: {
      const child = xml.length > 0 ? xml.get(r.int(xml.length)) : null
      if (child instanceof Y.XmlElement) {
        child.setAttribute('n', String(r.int(9)))
        if (r.int(2) === 0) editXml(r, child)
      } else if (child instanceof Y.XmlText) editText(r, child)
    }
  }
}

const editNested = (r, map) => {
  const child = map.get(r.of(['a', 'b', 'ü']))
  if (child instanceof Y.Text) editText(r, child)
  else if (child instanceof Y.Array) editArray(r, child)
  else if (child instanceof Y.Map) editMap(r, child)
}

const edit = (r, doc) => {
  switch (r.int(6)) {
    case 0: case 1: editText(r, doc.getText('text')); break
    case 2: editArray(r, doc.getArray('array')); break
    case 3: editMap(r, doc.getMap('map')); break
    case 4: editXml(r, doc.getXmlFragment('xml')); break
    default: editNested(r, doc.getMap('map'))
  }
}

const shuffle = (r, list) => {
  for (let i = list.length - 1; i > 0; i--) {
    const j = r.int(i + 1)
    const x = list[i]
    list[i] = list[j]
    list[j] = x
  }
  return list
}

// history lets three clients edit and sync now and then.
const history = seed => {
  const r = generator(seed)
  const updates = []
  const docs = [0, 1, 2].map(i => {
    const doc = new Y.Doc({ gc: r.int(4) > 0 })
    doc.clientID = i + 1 + r.int(3) * 1000 + (r.int(2) ? 2 ** 31 : 0)
    doc.on('update', (update, origin) => { if (origin !== 'sync') updates.push(update) })
    return doc
  })
  const undo = new Y.UndoManager([docs[0].getText('text'), docs[0].getMap('map')], { captureTimeout: 0 })
  const steps = 5 + r.int(60)
  for (let i = 0; i < steps; i++) {
    const doc = r.of(docs)
    switch (r.int(12)) {
      case 0: undo.undo(); break
      case 1: undo.redo(); break
      case 2: {
        const other = r.of(docs)
        Y.applyUpdate(other, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(other)), 'sync')
        break
      }
      case 3: doc.transact(() => { edit(r, doc); edit(r, doc); edit(r, doc) }); break
      case 4: updates.push(Y.encodeStateAsUpdate(doc)); break
      default: edit(r, doc)
    }
  }
  // What arrives: in any order, some of it twice, in a third of the cases not all of it.
  const lossy = r.int(3) === 0
  const delivered = shuffle(r, updates.flatMap(u => lossy && r.int(10) === 0 ? [] : r.int(5) === 0 ? [u, u] : [u]))
  return { docs, updates, delivered: delivered.length > 0 ? delivered : [updates[0] ?? Y.encodeStateAsUpdate(docs[0])] }
}

const plain = v => {
  if (v instanceof Uint8Array) return { bytes: hex(v) }
  if (v instanceof Y.Doc) return { guid: v.guid }
  if (v instanceof Y.AbstractType) return v instanceof Y.Text ? plain(v.toDelta()) : plain(v.toJSON())
  if (Array.isArray(v)) return v.map(plain)
  if (typeof v === 'bigint') return String(v)
  if (v === undefined) return { undefined: 1 }
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.keys(v).sort().map(k => [k, plain(v[k])]))
  return v
}

// view is all that can be seen of a document. Where a client has edited between the halves of a surrogate pair, Yjs has two
// versions of the same operation, the pair and two U+FFFD, and whichever arrives first stays (yjs#248): they count as equal.
const view = doc => JSON.stringify({
  text: plain(doc.getText('text').toDelta()),
  array: plain(doc.getArray('array').toArray()),
  map: Object.fromEntries([...doc.getMap('map').entries()].sort().map(([k, v]) => [k, plain(v)])),
  xml: doc.getXmlFragment('xml').toString(),
  vector: vector(Y.encodeStateVector(doc)),
  pending: doc.store.pendingStructs !== null
}).replace(/[\ud800-\udfff\ufffd]/g, '?')

const vector = encoded => [...Y.decodeStateVector(encoded).entries()].filter(([, n]) => n > 0).sort((a, b) => a[0] - b[0])

const docOf = (...updates) => {
  const doc = new Y.Doc()
  for (const u of updates) Y.applyUpdate(doc, u)
  return doc
}

let current

const makeCase = seed => {
  current = history(seed)
  return {
    updates: current.updates.map(hex),
    delivered: current.delivered.map(hex),
    vectors: current.docs.map(d => hex(Y.encodeStateVector(d)))
  }
}

const check = given => {
  const merged = Y.mergeUpdates(current.delivered)
  const same = (what, got, want) => {
    if (got !== want) throw new Error(`${what}:\n got ${got}\nwant ${want}`)
  }
  const reference = view(docOf(merged))
  same('all', view(docOf(bytes(given.full))), reference)
  same('compact', view(docOf(bytes(given.compact))), reference)
  same('all into what is there', view(docOf(...current.delivered, bytes(given.compact))), view(docOf(...current.delivered, merged)))
  same('state vector', JSON.stringify(vector(bytes(given.vector))), JSON.stringify(vector(Y.encodeStateVectorFromUpdate(merged))))
  same('new parts, one after another', view(docOf(...given.fresh.map(bytes))), view(docOf(...current.delivered)))
  current.docs.forEach((doc, i) => {
    const state = Y.encodeStateAsUpdate(doc)
    const sv = Y.encodeStateVector(doc)
    const want = view(docOf(state, Y.diffUpdate(merged, sv)))
    same(`diff for client ${i}`, view(docOf(state, bytes(given.diffs[i]))), want)
    same(`diff of the compact form for client ${i}`, view(docOf(state, bytes(given.compactDiffs[i]))), want)
  })
  return {}
}

const trace = edits => {
  const r = generator(1)
  const docs = [1, 2, 3, 4].map(id => { const d = new Y.Doc(); d.clientID = id; return d })
  const updates = []
  for (const doc of docs) {
    doc.on('update', (u, origin) => {
      if (origin === 'sync') return
      updates.push(u)
      for (const other of docs) if (other !== doc) Y.applyUpdate(other, u, 'sync')
    })
  }
  let at = [0, 0, 0, 0]
  for (let i = 0; i < edits; i++) {
    const n = r.int(4)
    const text = docs[n].getText('text')
    if (r.int(20) === 0) at[n] = r.int(text.length + 1)
    at[n] = Math.min(at[n], text.length)
    if (at[n] > 0 && r.int(5) === 0) text.delete(--at[n], 1)
    else text.insert(at[n]++, 'abcdefghij '[r.int(11)])
  }
  return { updates: updates.map(hex), text: docs[0].getText('text').toString() }
}

const awareness = () => {
  const docs = [11, 22].map(id => { const d = new Y.Doc(); d.clientID = id; return d })
  const all = docs.map(d => new awarenessProtocol.Awareness(d))
  const updates = []
  all.forEach((a, i) => a.on('update', ({ added, updated, removed }) => {
    const clients = added.concat(updated, removed)
    updates.push({ from: i, update: hex(awarenessProtocol.encodeAwarenessUpdate(a, clients)) })
  }))
  all[0].setLocalState({ user: 'ä', cursor: [1, 2] })
  all[1].setLocalState({ user: 'b' })
  all[0].setLocalStateField('cursor', null)
  all[1].setLocalState(null)
  const states = { 11: all[0].getLocalState() }
  const said = [...updates] // destroy says more
  all.forEach(a => a.destroy())
  return { updates: said, states }
}

const readAwareness = update => {
  const doc = new Y.Doc()
  const a = new awarenessProtocol.Awareness(doc)
  a.setLocalState(null)
  awarenessProtocol.applyAwarenessUpdate(a, bytes(update), null)
  const states = Object.fromEntries(a.getStates())
  a.destroy()
  return { states }
}

const answer = request => {
  switch (request.cmd) {
    case 'case': return makeCase(request.seed)
    case 'check': return check(request)
    case 'trace': return trace(request.edits)
    case 'text': return { text: docOf(bytes(request.update)).getText('text').toString() }
    case 'decode': Y.decodeUpdate(bytes(request.update)); return {}
    case 'awareness': return awareness()
    case 'readAwareness': return readAwareness(request.update)
    default: throw new Error(`unknown command ${request.cmd}`)
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let out
  try {
    out = answer(JSON.parse(line))
  } catch (e) {
    out = { error: String(e.stack) }
  }
  process.stdout.write(JSON.stringify(out) + '\n')
}
process.exit(0)
