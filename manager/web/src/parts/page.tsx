import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Resource } from '../resource';
import { ProblemBox } from './problem';

// What every page has: a title, which is also the document's and takes the focus when the page is
// opened, and what can be done.
export function Page(props: {
  title: string;
  heading?: ComponentChildren;
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${props.title} · hostq`;
  }, [props.title]);
  useEffect(() => {
    // Not at the first page: there the browser's own order holds, beginning with the skip link.
    if (Page.opened) heading.current?.focus();
    Page.opened = true;
  }, []);
  return (
    <>
      <header class="page-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {props.heading ?? props.title}
          </h1>
          {props.lead && <p class="lead">{props.lead}</p>}
        </div>
        {props.actions && <div class="actions">{props.actions}</div>}
      </header>
      {props.children}
    </>
  );
}
Page.opened = false;

// What was loaded; above it, or in its place, why it could not be.
export function Loaded<T>(props: { resource: Resource<T>; children: (data: T) => ComponentChildren }) {
  const { data, problem } = props.resource;
  return (
    <>
      {problem && (
        <ProblemBox problem={problem} what={data === undefined ? undefined : 'This may be out of date'} />
      )}
      {data !== undefined && props.children(data)}
      {data === undefined && !problem && (
        <p class="loading" role="status">
          Loading …
        </p>
      )}
    </>
  );
}

// A part of a page with a heading of its own.
export function Section(props: {
  title: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={props.class}>
      <h2>
        {props.title} {props.aside && <small>{props.aside}</small>}
      </h2>
      {props.children}
    </section>
  );
}
