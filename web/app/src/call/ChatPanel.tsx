import type { ChatMessage, Room } from '@turnout/client';
import { MessageSquare, SendHorizontal } from 'lucide-react';
import { type KeyboardEvent, type ReactElement, type SyntheticEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { IconButton } from '../ui/Button.js';
import css from './ChatPanel.module.css';
import { linked } from './linked.js';

export interface ChatPanelProps {
  room: Room;
  messages: readonly ChatMessage[];
  canSend: boolean;
  onFailed: (thrown: unknown) => void;
}

// A person reads no more at once; the server takes 64 KiB.
const longest = 4000;

export function ChatPanel({ room, messages, canSend, onFailed }: ChatPanelProps): ReactElement {
  const [text, setText] = useState('');
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => input.current?.focus(), []);

  function send(event?: SyntheticEvent): void {
    event?.preventDefault();
    const said = text.trim();
    if (!said) return;
    setText('');
    void room.chat.send(said).catch((thrown: unknown) => {
      setText((now) => now || said); // to be sent again with one key
      onFailed(thrown);
    });
  }

  function key(event: KeyboardEvent): void {
    // Enter also ends the composing of a word in many scripts.
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) send(event);
  }

  return (
    <>
      {messages.length === 0 ? (
        <div className={css['empty']}>
          <MessageSquare aria-hidden="true" />
          <p>Nothing said yet</p>
          <span>Messages reach everyone who is in the call now.</span>
        </div>
      ) : (
        <Messages messages={messages} />
      )}
      {canSend ? (
        <form className={css['form']} onSubmit={send}>
          <textarea
            ref={input}
            rows={1}
            aria-label="Message to everyone"
            placeholder="Message to everyone"
            data-testid="chat-input"
            maxLength={longest}
            value={text}
            onChange={(e) => setText(e.target.value)}
            onKeyDown={key}
          />
          <IconButton
            look={text.trim() ? 'active' : 'round'}
            type="submit"
            label="Send"
            data-testid="chat-send"
            icon={<SendHorizontal />}
            disabled={!text.trim()}
          />
        </form>
      ) : (
        <p className={css['mute']}>You may read here, and not write.</p>
      )}
    </>
  );
}

function Message({ message, follows }: { message: ChatMessage; follows: boolean }): ReactElement {
  const time = new Date(message.at);
  return (
    <li
      className={[css['message'], message.isLocal ? css['own'] : '', follows ? css['follows'] : ''].join(' ')}
      data-testid="chat-message"
      data-state={message.state}
    >
      {!follows && (
        <p className={css['who']}>
          <strong>{message.isLocal ? 'You' : message.name}</strong>
          <time dateTime={time.toISOString()}>{time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}</time>
        </p>
      )}
      <p className={css['text']}>{linked(message.text)}</p>
      {message.state === 'failed' && <p className={css['failed']}>Not sent: {message.error?.message}</p>}
    </li>
  );
}

// Messages of one person within two minutes stand under one name.
const together = 120_000;
// Pixels from the end that still count as being there.
const nearEnd = 60;

function isFollowing(before: ChatMessage | undefined, message: ChatMessage): boolean {
  return (
    before !== undefined && before.identity === message.identity && before.isLocal === message.isLocal && message.at - before.at < together
  );
}

/** Follows new messages, unless a person has scrolled up to read. */
function Messages({ messages }: { messages: readonly ChatMessage[] }): ReactElement {
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    const element = list.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [messages]);
  return (
    <ol
      ref={list}
      className={css['list']}
      tabIndex={0}
      aria-label="Messages"
      onScroll={({ currentTarget: at }) => {
        atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < nearEnd;
      }}
    >
      {messages.map((message, i) => (
        <Message key={message.id} message={message} follows={isFollowing(messages[i - 1], message)} />
      ))}
    </ol>
  );
}
