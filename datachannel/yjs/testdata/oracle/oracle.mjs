// Answers, line by line on standard input and output, what Yjs makes of the bytes that Go made. Requests and replies are JSON;
// bytes are base64.
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import { history } from './history.mjs'
import { Person, answer, hello } from './peers.mjs'

const pack = bytes => Buffer.from(bytes).toString('base64')
const unpack = text => new Uint8Array(Buffer.from(text, 'base64'))

/** Everything a person or a peer could see of a document. */
function seen (doc) {
  const subdocs = [...doc.getSubdocs()].map(d => [d.guid, d.meta, d.autoLoad, d.gc]).sort()
  const delta = doc.getText('text').toDelta().map(op => op.insert instanceof Y.AbstractType ? { ...op, insert: op.insert.toJSON() } : op)
  return {
    text: delta,
    array: plain(doc.getArray('array')),
    map: plain(doc.getMap('map')),
    xml: doc.getXmlFragment('xml').toString(),
    subdocs,
    vector: [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort((a, b) => a[0] - b[0]),
    pending: doc.store.pendingStructs !== null,
    pendingDeletions: doc.store.pendingDs !== null
  }
}

/** toJSON, with nested texts as deltas and subdocuments as guids. */
function plain (type) {
  if (type instanceof Y.Text && !(type instanceof Y.XmlText)) return type.toDelta()
  if (type instanceof Y.Array) return type.toArray().map(plain)
  if (type instanceof Y.Map) return Object.fromEntries([...type.entries()].map(([k, v]) => [k, plain(v)]))
  if (type instanceof Y.Doc) return { guid: type.guid }
  if (type instanceof Y.XmlHook) return { hook: type.hookName }
  if (type instanceof Y.AbstractType) return type.toString()
  return type
}

function docOf (...updates) {
  const doc = new Y.Doc()
  updates.forEach(u => Y.applyUpdate(doc, u))
  return doc
}

/** The document that updates lead to. */
const made = (...updates) => seen(docOf(...updates))

const differences = (a, b) => Object.keys(a).filter(k => !isDeepStrictEqual(a[k], b[k]))

/** Compares with the two ways in which Yjs does an operation: on update bytes alone, and through a document. */
function compare (name, ours, ways) {
  const wrong = ways.flatMap(way => {
    const theirs = way()
    return differences(ours, theirs).map(k => `${k}: ${show(ours[k])} instead of ${show(theirs[k])}`)
  })
  return { name, wrong }
}

const show = v => JSON.stringify(v, (_, x) => typeof x === 'bigint' ? `${x}n` : x)?.slice(0, 300)

/** Does in Yjs what Go did to the same deliveries, and compares. Every check is one operation. */
function judge ({ deliveries, peers }, go) {
  const half = deliveries.slice(0, deliveries.length >> 1)
  const rest = deliveries.slice(half.length)
  const document = docOf(...deliveries)
  const halfDocument = docOf(...half)
  const merged = Y.mergeUpdates(deliveries)
  const mergedHalf = Y.mergeUpdates([...half, empty])
  const whole = memo([() => made(merged), () => made(Y.encodeStateAsUpdate(document))])
  const checks = [
    compare('merge', made(unpack(go.merged)), whole),
    compare('encode', made(unpack(go.encoded)), whole),
    compare('compact', made(unpack(go.compacted)), whole),
    compare('compact early', made(unpack(go.compactedEarly)), whole),
    compare('relay', made(...go.relayed.map(unpack)), [() => seen(document), whole[0]]),
    compare('half', made(unpack(go.half)), [() => made(mergedHalf), () => made(Y.encodeStateAsUpdate(halfDocument))]),
    compare('resume', made(unpack(go.half), ...rest), [() => made(mergedHalf, ...rest), () => made(Y.encodeStateAsUpdate(halfDocument), ...rest)]),
    compare('state vector', vector(unpack(go.vector)), [() => vector(Y.encodeStateVectorFromUpdate(merged)), () => vector(Y.encodeStateVector(document))])
  ]
  peers.forEach(({ state, vector }, i) => {
    const ways = memo([() => made(state, Y.diffUpdate(merged, vector)), () => made(state, Y.encodeStateAsUpdate(document, vector))])
    checks.push(compare(`diff ${i}`, made(state, unpack(go.diffs[i])), ways))
    checks.push(compare(`compact diff ${i}`, made(state, unpack(go.compactDiffs[i])), ways))
  })
  return checks
}

/** The same functions, each run at most once. */
const memo = functions => functions.map(f => {
  let result
  return () => (result ??= f())
})

const empty = new Uint8Array([0, 0])
const vector = bytes => Object.fromEntries(Y.decodeStateVector(bytes))

/** Gives updates to a client one after the other, and all it has then to one that joins; returns what either throws. */
function receive (updates) {
  try {
    docOf(Y.encodeStateAsUpdate(docOf(...updates.map(unpack))))
    return ''
  } catch (error) {
    return String(error.stack)
  }
}

/** A client with the later part of the history, of which the server has the earlier one. */
function connect () {
  client = docOf(...current.deliveries.slice(current.deliveries.length >> 2))
  return { step1: pack(hello(client)) }
}

function synced ({ document }) {
  const whole = made(...current.deliveries)
  return { wrong: [...differences(seen(client), whole), ...differences(made(unpack(document)), whole)] }
}

function present ({ who, state, receive }) {
  const sent = people[who].turn(receive.map(unpack), state).map(pack)
  return { sent, states: people[who].states() }
}

let current = null
let client = null
const people = [new Person(101), new Person(102)]
const answers = {
  history: ({ seed }) => {
    current = history(seed)
    return { deliveries: current.deliveries.map(pack), peers: current.peers.map(p => pack(p.vector)) }
  },
  judge: request => ({ checks: judge(current, request) }),
  connect,
  sync: ({ messages }) => ({ step2: pack(messages.map(m => answer(client, unpack(m))).find(a => a !== null)) }),
  synced,
  awareness: present,
  receive: ({ rooms }) => ({ thrown: rooms.map(receive) })
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  process.stdout.write(JSON.stringify(answers[request.ask](request)) + '\n')
}
