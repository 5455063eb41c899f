// The token goes in a header, never in an address: addresses are logged. The answer sets a cookie.

const $ = (id) => document.getElementById(id);
const WORDS = { 403: "This is not the token.", 429: "Too many wrong tokens from this address. Wait a little." };

async function enter(token) {
  const answer = await fetch("login", { headers: { Authorization: `Bearer ${token}` } });
  if (answer.ok) location.replace(location.pathname);
  else $("wrong").textContent = WORDS[answer.status] ?? `The monitor answers ${answer.status}.`;
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("token").value).catch(() => ($("wrong").textContent = "The monitor does not answer."));
});
