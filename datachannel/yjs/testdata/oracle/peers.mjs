// Clients as y-protocols makes them.
import * as awareness from 'y-protocols/awareness'
import * as sync from 'y-protocols/sync'
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { createEncoder, length, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import * as Y from 'yjs'

const messageSync = 0
const messageAwareness = 1

/** A client's first message. */
export function hello (doc) {
  const encoder = createEncoder()
  writeVarUint(encoder, messageSync)
  sync.writeSyncStep1(encoder, doc)
  return toUint8Array(encoder)
}

/** A client's answer to one message, as y-websocket gives it; null if it has none. */
export function answer (doc, message) {
  const decoder = createDecoder(message)
  if (readVarUint(decoder) !== messageSync) throw new Error('not a sync message')
  const encoder = createEncoder()
  writeVarUint(encoder, messageSync)
  sync.readSyncMessage(decoder, encoder, doc, 'server', error => { throw error })
  if (decoder.pos !== message.length) throw new Error('bytes follow the message')
  return length(encoder) > 1 ? toUint8Array(encoder) : null
}

/** One who is there, and who, like y-websocket, sends on every state that it hears of. */
export class Person {
  constructor (id) {
    const doc = new Y.Doc()
    doc.clientID = id
    this.awareness = new awareness.Awareness(doc)
    clearInterval(this.awareness._checkInterval)
    this.sent = []
    this.awareness.on('update', ({ added, updated, removed }) => {
      const encoder = createEncoder()
      writeVarUint(encoder, messageAwareness)
      writeVarUint8Array(encoder, awareness.encodeAwarenessUpdate(this.awareness, [...added, ...updated, ...removed]))
      this.sent.push(toUint8Array(encoder))
    })
  }

  /** Hears messages, says its own state, if it has one to say, and returns what it has sent. */
  turn (messages, state) {
    for (const message of messages) {
      const decoder = createDecoder(message)
      if (readVarUint(decoder) !== messageAwareness) throw new Error('not an awareness message')
      awareness.applyAwarenessUpdate(this.awareness, readVarUint8Array(decoder), 'server')
    }
    if (state !== undefined) this.awareness.setLocalState(state)
    return this.sent.splice(0)
  }

  states () { return Object.fromEntries(this.awareness.getStates()) }
}
