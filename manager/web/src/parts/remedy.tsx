import { clauses, pieces } from '../remedy';
import { Copyable } from './copy';

// What to do, a line for each part of it, with the commands in it to copy.
export function Remedy({ text }: { text: string }) {
  if (!text) return null;
  return (
    <ul class="remedy">
      {clauses(text).map((clause, index) => (
        <li key={index}>
          {pieces(clause).map((piece) => (piece.command ? <Copyable text={piece.text} /> : piece.text))}
        </li>
      ))}
    </ul>
  );
}
