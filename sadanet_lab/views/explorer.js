// The browser's side of explorer.Explorer. What is chosen goes to the kernel with a number, "asked"; the maps come back
// with it as "answered". The ring and the opacity move at once, without the kernel. A picture that the user brings along
// and its maps come as a message of their own, number "brought", which no notebook saves.

const PAUSE = 600; // milliseconds that a step stands while the steps play
const NOTHING = "nothing"; // beside the first network
const PAGE = `
    <div class="bar">
        <label>Image <select name="image"></select></label>
        <label class="own">Own image ... <input type="file" accept=".png"></label>
        <label>Network <select name="network"></select></label>
        <label>Beside it <select name="second"></select></label>
        <span class="steps"><label>Step <input type="range" name="step"><output></output></label>
            <button class="play">Play</button></span>
    </div>
    <div class="tabs" role="tablist" aria-label="What to show"></div>
    <div class="about"><p></p>
        <label>Channel <input type="range" name="channel"><output></output></label>
        <label>Module <select name="module"></select></label>
    </div>
    <div class="stage" role="tabpanel">
        <section><h4>Image</h4><div class="panels"><figure>
            <div class="picture" tabindex="0" role="application"><img class="grey" alt=""><i class="ring"></i></div>
            <figcaption>click, drag or use arrow keys</figcaption></figure></div></section>
        <div class="groups"></div>
    </div>
    <div class="scales"></div>
    <p class="told" aria-live="polite"></p>
    <div class="bar">
        <label>Row <input type="range" name="row"><output></output></label>
        <label>Column <input type="range" name="column"><output></output></label>
        <label>Opacity <input type="range" name="opacity" value="75"></label>
        <button class="save">Save as figure</button>
    </div>
    <p class="message" role="status"></p>`;

function node(kind, name = "", text = "") {
    return Object.assign(document.createElement(kind), { className: name, textContent: text });
}

function fill(select, names, value) {
    if (select.names !== String(names)) select.replaceChildren(...names.map((name) => new Option(name)));
    select.names = String(names);
    select.value = value;
}

function slide(slider, most, value, text = value) {
    slider.max = most;
    slider.value = value;
    slider.nextElementSibling.textContent = text;
}

function scaleOf({ label, colours, ends, names }) {
    const scale = node("div", "scale");
    if (ends) {
        const ramp = node("i", "ramp");
        ramp.style.background = `linear-gradient(90deg, ${colours}), #666`;
        scale.append(node("b", "", label), ends[0], ramp, ends[1]);
    } else {
        scale.append(node("b", "", label));
        names.forEach((name, i) => {
            const swatch = node("i", "swatch");
            swatch.style.background = colours[i];
            scale.append(swatch, name);
        });
    }
    return scale;
}

function panelOf() {
    const panel = node("figure");
    panel.innerHTML = `<div class="picture"><img class="grey" alt=""><canvas class="map" role="img"></canvas><i class="ring"></i></div>
        <figcaption></figcaption>`;
    return panel;
}

async function inflated(view) {
    const stream = new DecompressionStream("deflate");
    const writer = stream.writable.getWriter();
    writer.write(view);
    writer.close();
    return new Uint8Array(await new Response(stream.readable).arrayBuffer());
}

// By hand: the browser's own decoding of a PNG, which may wait for other threads, took 30 ms and more of each move.
function draw(figure, group, { title, shape, colours, cells }, indices) {
    const map = figure.querySelector(".map");
    [map.height, map.width] = shape;
    const rgba = Uint32Array.from({ length: colours.byteLength / 4 }, (_, i) => colours.getUint32(4 * i, true));
    const pixels = new Uint32Array(indices.length);
    indices.forEach((index, i) => (pixels[i] = rgba[index]));
    map.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), map.width), 0, 0);
    map.classList.toggle("cells", cells);
    map.ariaLabel = `${group}: ${title}`;
    figure.querySelector("figcaption").textContent = title;
}

function groupOf({ title, panels, missing }) {
    const group = node("section");
    const row = node("div", "panels");
    row.append(...(missing ? [node("p", "missing", missing)] : panels.map(panelOf)));
    group.append(Object.assign(node("h4", "", title), { title }), row);
    return group;
}

function render({ model, el }) {
    el.classList.add("attention-explorer");
    el.innerHTML = PAGE;
    const find = (selector) => el.querySelector(selector);
    const control = (name) => find(`[name=${name}]`);
    const stage = find(".stage");
    const groups = find(".groups");
    let playing = false;
    let laidOut = "";
    let drawn;
    let picture;
    let address;
    let own; // the last message about a picture that was brought along
    let lacked = 0;

    const ask = (changes) => {
        Object.entries(changes).forEach(([name, value]) => model.set(name, value));
        model.set("asked", model.get("asked") + 1);
        model.save_changes();
        show();
    };
    const moveTo = (row, column) => {
        const [rows, columns] = model.get("shape");
        const within = (value, length) => Math.max(0, Math.min(length - 1, Math.floor(value)));
        const pixel = { row: within(row, rows), column: within(column, columns) };
        if (pixel.row !== model.get("row") || pixel.column !== model.get("column")) ask(pixel);
    };

    // Groups and picture of the image; nothing as long as the message that holds them has not come.
    function content() {
        const brought = model.get("brought");
        if (!brought) return { groups: model.get("groups"), picture: model.get("picture") };
        return own?.brought === brought && own.picture ? own : undefined;
    }
    const lack = (brought) => {
        // The message comes before its number: a view that has the number alone was not there yet.
        if (lacked !== brought && !(own?.brought > brought)) model.send({ lacks: (lacked = brought) });
    };

    function showControls() {
        const [rows, columns] = model.get("shape");
        const steps = model.get("steps");
        const tab = model.get("tab");
        fill(control("image"), model.get("images"), model.get("image"));
        fill(control("network"), model.get("networks"), model.get("network"));
        fill(control("second"), [NOTHING, ...model.get("networks")], model.get("second"));
        fill(control("module"), model.get("modules"), model.get("module"));
        slide(control("row"), rows - 1, model.get("row"));
        slide(control("column"), columns - 1, model.get("column"));
        slide(control("step"), steps.length - 1, model.get("step"), steps[model.get("step")]);
        slide(control("channel"), model.get("channels") - 1, model.get("channel"));
        find(".steps").hidden = steps.length < 2;
        find(".play").textContent = playing ? "Pause" : "Play";
        control("channel").parentElement.hidden = tab !== "channels" || !model.get("channels");
        control("module").parentElement.hidden = tab !== "knock-out" || !model.get("modules").length;
        for (const button of find(".tabs").children) {
            button.ariaSelected = String(button.name === tab);
            button.tabIndex = button.name === tab ? 0 : -1;
        }
        find(".message").textContent = model.get("message");
        el.classList.toggle("waiting", model.get("asked") !== model.get("answered"));
    }

    async function showMaps(shown) {
        if (shown === drawn) return;
        const panels = shown.flatMap((group) => group.panels.map((panel) => [group.title, panel]));
        const maps = await Promise.all(panels.map(([, { indices }]) => inflated(indices)));
        if (shown !== content()?.groups) return; // overtaken
        const layout = JSON.stringify(shown.map(({ title, panels, missing }) => [title, panels.length, missing]));
        if (layout !== laidOut) groups.replaceChildren(...shown.map(groupOf));
        laidOut = layout;
        groups.querySelectorAll("figure").forEach((figure, i) => draw(figure, ...panels[i], maps[i]));
        stage.style.setProperty("--panels", 1 + panels.length + shown.filter((group) => group.missing).length);
        drawn = shown;
    }

    async function showImage() {
        const bytes = content()?.picture ?? picture;
        if (bytes !== picture) {
            if (address) URL.revokeObjectURL(address);
            address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
            picture = bytes;
        }
        const stale = [...stage.querySelectorAll(".grey")].filter((image) => image.src !== address);
        stale.forEach((image) => (image.src = address));
        await Promise.all(stale.map((image) => image.decode().catch(() => {}))); // refused where it is replaced meanwhile
    }

    function showPixel() {
        const [rows, columns] = model.get("shape");
        stage.style.setProperty("--shape", rows / columns);
        stage.style.setProperty("--row", `${(100 * (model.get("row") + 0.5)) / rows}%`);
        stage.style.setProperty("--column", `${(100 * (model.get("column") + 0.5)) / columns}%`);
        find(".told").textContent = model.get("told");
        find(".picture").ariaLabel = `The image; arrow keys move the pixel. ${model.get("told")}`;
    }

    function showTab() {
        const { name, sentence, scales } = model.get("tabs").find((tab) => tab.name === model.get("tab"));
        if (el.dataset.tab === name) return;
        el.dataset.tab = name;
        find(".about p").textContent = sentence;
        find(".scales").replaceChildren(...scales.map(scaleOf));
    }

    async function show() {
        const answered = model.get("answered");
        el.dataset.asked = model.get("asked");
        showControls();
        showPixel();
        showTab();
        const found = content();
        el.classList.toggle("lacking", !found);
        if (!found) return lack(model.get("brought"));
        await showMaps(found.groups);
        await showImage();
        if (answered === model.get("answered")) el.dataset.shown = answered;
    }

    const play = () => {
        const [step, last] = [model.get("step"), model.get("steps").length - 1];
        if (!playing) return;
        playing = step < last;
        if (playing) ask({ step: step + 1 });
        else show();
    };

    find(".tabs").append(
        ...model.get("tabs").map(({ name, title }) => {
            const tab = Object.assign(node("button", "", title), { name, role: "tab" });
            tab.addEventListener("click", () => ask({ tab: name }));
            return tab;
        }),
    );
    find(".tabs").addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const all = [...find(".tabs").children];
        const next = all[all.indexOf(event.target) + by];
        if (!next) return;
        next.click();
        next.focus();
    });
    for (const name of ["image", "network", "second", "module"])
        control(name).addEventListener("change", (event) => ask({ [name]: event.target.value }));
    for (const name of ["row", "column", "channel", "step"])
        control(name).addEventListener("input", (event) => ask({ [name]: Number(event.target.value) }));
    control("opacity").addEventListener("input", (event) =>
        stage.style.setProperty("--opacity", event.target.value / 100),
    );
    find(".play").addEventListener("click", () => {
        playing = !playing;
        if (playing) ask({ step: model.get("step") < model.get("steps").length - 1 ? model.get("step") : 0 });
        else show();
    });
    find(".save").addEventListener("click", () => model.send({ save: true }));
    find("input[type=file]").addEventListener("change", async (event) => {
        const [file] = event.target.files;
        if (file) model.send({ file: true }, undefined, [await file.arrayBuffer()]); // its name stays here
        event.target.value = ""; // the same file can be chosen again
    });

    // JupyterLab would take the arrow keys from whatever has the focus and does not say so itself.
    el.querySelectorAll("input, select, button, [tabindex]").forEach((one) => (one.dataset.lmSuppressShortcuts = ""));

    // Every picture is one to click; the keys are the first one's.
    const pointed = (event) => {
        const picture = event.target.closest(".picture");
        const box = picture.getBoundingClientRect();
        const [rows, columns] = model.get("shape");
        moveTo(((event.clientY - box.top) / box.height) * rows, ((event.clientX - box.left) / box.width) * columns);
        return picture;
    };
    stage.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !event.target.closest(".picture")) return;
        event.preventDefault();
        pointed(event).setPointerCapture(event.pointerId);
        find(".picture").focus({ preventScroll: true });
    });
    stage.addEventListener("pointermove", (event) => {
        if (event.target.hasPointerCapture?.(event.pointerId)) pointed(event);
    });
    find(".picture").addEventListener("keydown", (event) => {
        const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
        if (down === undefined) return;
        event.preventDefault();
        const [rows, columns] = model.get("cell");
        moveTo(model.get("row") + down * Math.ceil(rows), model.get("column") + right * Math.ceil(columns));
    });

    let timer;
    const answer = async () => {
        await show();
        clearTimeout(timer);
        if (playing) timer = setTimeout(play, PAUSE);
    };
    // Buffers: indices and colours of each panel, and the picture unless it was sent before.
    const heard = ({ brought, image, groups }, buffers) => {
        const rest = [...buffers];
        const filled = (panel) => ({ ...panel, indices: rest.shift(), colours: rest.shift() });
        const whole = groups.map((group) => ({ ...group, panels: group.panels.map(filled) }));
        const [picture = own?.image === image ? own.picture : undefined] = rest;
        own = { brought, image, groups: whole, picture };
        show();
    };
    const events = { "change:answered": answer, "change:message": show, "change:image": show, "msg:custom": heard };
    Object.entries(events).forEach(([name, act]) => model.on(name, act));
    show();
    return () => {
        clearTimeout(timer);
        Object.entries(events).forEach(([name, act]) => model.off(name, act));
        URL.revokeObjectURL(address);
    };
}

export default { render };
