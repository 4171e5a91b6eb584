// Random histories of three people who edit one document, made by Yjs itself.
import * as Y from 'yjs'

/** A small generator with a seed (mulberry32), so that a failing case can be made again. */
export function randomFrom (seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = n => Math.floor(next() * n)
  return { below, chance: p => next() < p, pick: list => list[below(list.length)] }
}

const words = ['a', 'bc', 'turnout ', '\n', 'é', '日本', '😀', 'x😀y', '👩‍👩‍👧', 'mm\u0000', 'The quick brown fox. ']
const keys = ['a', 'b', '__proto__x', 'ключ', '1', '']
const numbers = [0, -0, 1, -1, 63, 64, -8192, 2 ** 31, -(2 ** 40), 0.5, 0.1, 1e300, Infinity, NaN]
const marks = [{ bold: true }, { bold: null }, { italic: true, link: { href: 'x' } }, { size: 3 }]

/** A plain value; plain JSON only when it is to be written in the older content. */
function value (random, json, depth = 0) {
  const kind = random.below(depth > 2 ? 5 : json ? 7 : 10)
  switch (kind) {
    case 0: return random.pick(words)
    case 1: return json ? random.below(1000) : random.pick(numbers)
    case 2: return random.chance(0.5)
    case 3: return null
    case 4: return random.below(1 << 30)
    case 5: return Array.from({ length: random.below(4) }, () => value(random, json, depth + 1))
    case 6: return Object.fromEntries(Array.from({ length: random.below(4) }, () => [random.pick(keys), value(random, json, depth + 1)]))
    case 7: return new Uint8Array(Array.from({ length: random.below(6) }, () => random.below(256)))
    case 8: return undefined
    default: return random.pick([1n, -(2n ** 60n)])
  }
}

function nested (random) {
  switch (random.below(7)) {
    case 0: return new Y.Array()
    case 1: return new Y.Map()
    case 2: return new Y.Text(random.pick(words))
    case 3: return new Y.XmlElement(random.pick(['p', 'div']))
    case 4: return new Y.XmlText()
    case 5: return new Y.XmlFragment()
    default: return new Y.Doc({ guid: 'sub' + random.below(100), ...(random.chance(0.3) ? { meta: { n: 1 }, autoLoad: true } : {}) })
  }
}

function anything (random, json) { return random.chance(0.25) ? nested(random) : value(random, json) }

const place = (random, length) => random.below(length + 1)

function remove (random, type) {
  if (type.length === 0) return
  const at = random.below(type.length)
  type.delete(at, 1 + random.below(Math.min(5, type.length - at)))
}

/**
 * Formats a range that begins and ends between characters. A range that cuts a surrogate pair in two makes U+FFFD of it in the
 * author's document; if nothing changes otherwise, no update says so, and Yjs' own documents differ for ever.
 */
function format (random, text) {
  if (text.length === 0) return
  const units = text.toDelta().flatMap(op => typeof op.insert === 'string' ? op.insert.split('') : ['embed'])
  const whole = i => i > 0 && /^[\udc00-\udfff]$/.test(units[i] ?? '') ? i - 1 : i
  const start = whole(random.below(text.length))
  const end = whole(start + 1 + random.below(text.length - start))
  if (end > start) text.format(start, end - start, random.pick(marks))
}

function editText (random, text) {
  switch (random.below(6)) {
    case 0: case 1: text.insert(place(random, text.length), random.pick(words)); break
    case 2: text.insert(place(random, text.length), random.pick(words), random.pick(marks)); break
    case 3: remove(random, text); break
    case 4: format(random, text); break
    default: text.insertEmbed(place(random, text.length), { image: random.pick(words) })
  }
}

function editArray (random, array, json) {
  if (random.chance(0.3)) remove(random, array)
  else array.insert(place(random, array.length), Array.from({ length: 1 + random.below(3) }, () => element(anything(random, json))))
}

/** Yjs' arrays take neither undefined nor a bigint, unless inside an object. */
const element = v => v === undefined || typeof v === 'bigint' ? { v } : v

function editMap (random, map, json) {
  if (random.chance(0.2)) map.delete(random.pick(keys))
  else map.set(random.pick(keys), anything(random, json))
}

function editXML (random, xml) {
  if (xml instanceof Y.XmlElement && random.chance(0.4)) {
    if (random.chance(0.3)) xml.removeAttribute('class')
    else xml.setAttribute('class', random.pick(words))
  } else if (random.chance(0.3)) remove(random, xml)
  else xml.insert(place(random, xml.length), [random.pick([() => new Y.XmlElement('p'), () => new Y.XmlText(random.pick(words)), () => new Y.XmlHook('hook')])()])
}

function edit (random, type, json) {
  if (type instanceof Y.Text) editText(random, type)
  else if (type instanceof Y.Array) editArray(random, type, json)
  else if (type instanceof Y.XmlFragment) editXML(random, type)
  else if (type instanceof Y.Map) editMap(random, type, json)
}

/** Steps down from a root into the types inside it, for as long as chance will have it. */
function target (random, doc) {
  let type = random.pick([() => doc.getText('text'), () => doc.getArray('array'), () => doc.getMap('map'), () => doc.getXmlFragment('xml')])()
  while (random.chance(0.5)) {
    const inside = type instanceof Y.Map ? [...type.values()] : type instanceof Y.Text ? [] : type.toArray()
    const types = inside.filter(v => v instanceof Y.AbstractType)
    if (types.length === 0) break
    type = random.pick(types)
  }
  return type
}

/** Writes array contents as Yjs did before it had ContentAny, while f runs. */
function inOlderContent (f) {
  const { getRef, write } = Y.ContentAny.prototype
  Y.ContentAny.prototype.getRef = Y.ContentJSON.prototype.getRef
  Y.ContentAny.prototype.write = Y.ContentJSON.prototype.write
  try { f() } finally { Object.assign(Y.ContentAny.prototype, { getRef, write }) }
}

/**
 * A history: every update in the order in which a server gets it, and states in between that a peer may be in.
 * @returns {{ deliveries: Uint8Array[], peers: { state: Uint8Array, vector: Uint8Array }[] }}
 */
export function history (seed) {
  const random = randomFrom(seed)
  const json = random.chance(0.15)
  const result = { deliveries: [], peers: [] }
  const run = () => live(random, json, result)
  if (json) inOlderContent(run)
  else run()
  disturb(random, result.deliveries)
  return result
}

function live (random, json, { deliveries, peers }) {
  const docs = [0, 1, 2].map(i => {
    const doc = new Y.Doc({ gc: random.chance(0.8) })
    doc.clientID = i + 3 * random.below(random.chance(0.2) ? 40 : 2 ** 30)
    return doc
  })
  docs.forEach(doc => doc.on('update', (update, origin) => { if (origin !== 'peer') deliveries.push(update) }))
  const undo = docs.map(doc => new Y.UndoManager([doc.getText('text'), doc.getArray('array'), doc.getMap('map')], { captureTimeout: 0 }))
  const steps = 10 + random.below(60)
  for (let i = 0; i < steps; i++) {
    const who = random.below(3)
    const doc = docs[who]
    if (random.chance(0.1)) random.chance(0.6) ? undo[who].undo() : undo[who].redo()
    else doc.transact(() => { for (let n = random.chance(0.7) ? 1 : 3; n > 0; n--) edit(random, target(random, doc), json) })
    if (random.chance(0.3)) {
      const other = docs[(who + 1 + random.below(2)) % 3]
      Y.applyUpdate(other, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(other)), 'peer')
    }
    if (random.chance(0.05)) deliveries.push(Y.encodeStateAsUpdate(doc)) // a client that connects again
    if (random.chance(0.05)) peers.push({ state: Y.encodeStateAsUpdate(doc), vector: Y.encodeStateVector(doc) })
  }
}

/** Shuffles, repeats and merges what is delivered. */
function disturb (random, deliveries) {
  const reach = random.pick([0, 0, 3, deliveries.length])
  for (let i = deliveries.length - 1; i > 0 && reach > 0; i--) {
    const j = Math.max(0, i - random.below(reach))
    ;[deliveries[i], deliveries[j]] = [deliveries[j], deliveries[i]]
  }
  for (let n = random.below(6); n > 0; n--) deliveries.splice(place(random, deliveries.length), 0, random.pick(deliveries))
  if (random.chance(0.4)) deliveries.splice(place(random, deliveries.length), 0, Y.mergeUpdates(deliveries.filter(() => random.chance(0.4)).concat(deliveries.slice(0, 1))))
}
