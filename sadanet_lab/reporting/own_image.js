// The browser's side of own_image.DropZone. One picture at a time goes to the kernel, in the order in which they came.

const PATIENCE = 180_000; // milliseconds until a kernel that says nothing is taken for dead
const MEGABYTE = 1 << 20;

async function measure(model, file) {
    const largest = model.get("largest");
    if (file.size > largest) {
        const [size, most] = [file.size, largest].map((bytes) => Math.ceil(bytes / MEGABYTE));
        return { fault: `${file.name}: ${size} MB; expected a picture file of at most ${most} MB` };
    }
    let content;
    try {
        content = await file.arrayBuffer();
    } catch {
        return { fault: `${file.name}: cannot be read; expected a picture file, not a folder` };
    }
    return new Promise((resolve) => {
        const id = Math.random();
        const end = (answer) => {
            clearTimeout(timer);
            model.off("msg:custom", heard);
            resolve(answer);
        };
        const heard = (answer, contents) => answer.id === id && end({ ...answer, contents });
        const silent = { fault: `${file.name}: no answer; is the program still running? Start it again, reload this page` };
        const timer = setTimeout(end, PATIENCE, silent);
        model.on("msg:custom", heard);
        model.send({ id, name: file.name }, undefined, [content]);
    });
}

function show(card, { fault, html, files, contents }) {
    card.classList.remove("waiting");
    if (fault !== undefined) {
        card.classList.add("fault");
        card.textContent = fault;
        return;
    }
    card.innerHTML = html; // of the kernel, in which what comes from the file is escaped
    const downloads = document.createElement("p");
    downloads.className = "downloads";
    downloads.textContent = "Download";
    files.forEach(({ name, text, kind }, i) => {
        const link = document.createElement("a");
        link.download = name;
        link.textContent = text;
        link.href = URL.createObjectURL(new Blob([contents[i]], { type: kind }));
        downloads.append(link);
    });
    card.querySelector(".found > div").append(downloads, card.querySelector(".note"));
}

function render({ model, el }) {
    el.classList.add("own-image");
    el.innerHTML = `<label class="drop"><input type="file" multiple>
        <span><b>Drop pictures here</b> or click to choose them</span>
        <small>PNG, TIFF, JPEG, BMP or DICOM; one or several; at most ${model.get("largest") / MEGABYTE} MB each</small>
        </label><div class="pictures" aria-live="polite"></div>`;
    const [field, input, pictures] = [".drop", "input", ".pictures"].map((name) => el.querySelector(name));
    let last = Promise.resolve();

    const take = (files) => {
        const cards = [...files].map((file) => {
            const card = document.createElement("section");
            card.className = "waiting";
            card.textContent = `${file.name}: being measured ...`;
            last = last.then(() => measure(model, file)).then((answer) => show(card, answer));
            return card;
        });
        pictures.prepend(...cards);
    };
    input.addEventListener("change", () => {
        take(input.files);
        input.value = ""; // the same file can be chosen again
    });
    // On a page of its own all of it takes pictures: beside the field the browser would open them, and leave the page.
    const target = document.body.dataset.voila ? document : field;
    const over = (event) => {
        event.preventDefault();
        field.classList.toggle("over", event.type === "dragover");
    };
    target.addEventListener("dragover", over);
    target.addEventListener("dragleave", over);
    target.addEventListener("drop", (event) => {
        over(event);
        take(event.dataTransfer.files);
    });
}

export default { render };
