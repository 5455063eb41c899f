// A PDF of one page that is one picture: the smallest file that every reader opens.

const A4 = [841.89, 595.28]; // points, across

/** Bytes of a PDF whose page, A4 across, is a JPEG of `width` x `height` pixels. */
export function pdfOf(jpeg, width, height, title) {
  const [w, h] = A4;
  const draw = `q ${w} 0 0 ${h} 0 0 cm /P Do Q`;
  const plain = title.replace(/[^ -~]/g, "?").replace(/[\\()]/g, "\\$&");
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${w} ${h}] /Contents 4 0 R /Resources << /XObject << /P 5 0 R >> >> >>`,
    stream(`<< /Length ${draw.length} >>`, bytes(draw)),
    stream(
      `<< /Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace /DeviceRGB ` +
        `/BitsPerComponent 8 /Filter /DCTDecode /Length ${jpeg.length} >>`,
      jpeg,
    ),
    `<< /Title (${plain}) /Creator (ecg-edge) >>`,
  ];
  const parts = [bytes("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")];
  const at = [];
  let length = parts[0].length;
  objects.forEach((body, k) => {
    at.push(length);
    const whole = [bytes(`${k + 1} 0 obj\n`), typeof body === "string" ? bytes(body) : body, bytes("\nendobj\n")];
    for (const part of whole) length += part.length;
    parts.push(...whole);
  });
  const rows = at.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const n = objects.length + 1;
  const trailer = `trailer\n<< /Size ${n} /Root 1 0 R /Info ${n - 1} 0 R >>\nstartxref\n${length}\n%%EOF\n`;
  parts.push(bytes(`xref\n0 ${n}\n0000000000 65535 f \n${rows}${trailer}`));
  return join(parts);
}

function stream(head, body) {
  return join([bytes(`${head}\nstream\n`), body, bytes("\nendstream")]);
}

function bytes(text) {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function join(parts) {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
