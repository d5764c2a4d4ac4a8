//! What becomes of pictures, good and bad. All are drawn here.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::site::load::now_ns;

/// A photograph of sorts: more colours than a drawing has.
fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, ((x ^ y) & 255) as u8])
    })
}

fn bytes(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("it can be written");
    bytes.into_inner()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    bytes(&DynamicImage::ImageRgb8(photo(width, height)), ImageFormat::Jpeg)
}

fn settings() -> ImageSettings {
    ImageSettings { widths: vec![40, 80, 160], max_megapixels: 1, ..ImageSettings::default() }
}

/// An hour from now on, about: files of this moment are old by then.
static LATER: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| now_ns() + 3_600_000_000_000);

struct Desk {
    folder: tempfile::TempDir,
    settings: ImageSettings,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), settings: settings() }
    }

    fn make(&self, files: &[(&str, &[u8])]) -> Made {
        let originals = files.iter().map(|(name, bytes)| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            Original { name: (*name).to_owned(), path }
        });
        self.workshop().make(originals.collect(), |name| format!("static/{name}"))
    }

    fn workshop(&self) -> Workshop<'_> {
        Workshop {
            settings: &self.settings,
            folder: self.folder.path(),
            is_fresh: false,
            now_ns: *LATER,
            previews: ["shared.png", "shared.jpg", "shared.gif"].into(),
            ground: [250, 0, 0],
            progress: &|_, _| {},
        }
    }

    /// The one picture of these bytes, and its files.
    fn good(&self, name: &str, source: &[u8]) -> (Picture, Vec<Vec<u8>>) {
        let (mut pictures, problems) = self.make(&[(name, source)]);
        assert!(problems.is_empty(), "{problems:?}");
        let picture = pictures.remove(0).1.expect("it is good");
        let files = self.workshop().bytes(&picture).expect("they are there");
        (picture, files)
    }

    /// What is told of a picture of these bytes, which has no set.
    fn bad(&self, name: &str, source: &[u8]) -> String {
        let (pictures, problems) = self.make(&[(name, source), ("good.jpg", &jpeg(50, 50))]);
        assert!(pictures[0].1.is_none() && pictures[1].1.is_some(), "it fails alone");
        assert_eq!((problems.len(), problems[0].file.as_str()), (1, format!("static/{name}").as_str()));
        format!("{} ({})", problems[0].message, problems[0].hint.as_deref().unwrap_or(""))
    }
}

fn endings(picture: &Picture) -> Vec<String> {
    picture
        .files
        .iter()
        .map(|file| format!("{} {}x{}", file.path.rsplit('.').next().unwrap_or(""), file.width, file.height))
        .collect()
}

/// A JPEG with a segment behind its first mark.
fn with_segment(jpeg: &[u8], marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &length, data, &jpeg[2..]].concat()
}

/// EXIF that says how the camera was held, and where.
fn exif(orientation: u16) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02".to_vec();
    exif.extend_from_slice(&[&[0x01, 0x12, 0, 3, 0, 0, 0, 1][..], &orientation.to_be_bytes(), &[0, 0]].concat());
    exif.extend_from_slice(b"\x01\x0e\0\x02\0\0\0\x04GPS\0");
    exif.extend_from_slice(&[0; 4]);
    exif
}

#[test]
fn a_photograph_has_webp_and_jpeg_in_every_width_that_it_has() {
    let desk = Desk::new();
    let (picture, files) = desk.good("Lamp, front.jpg", &jpeg(100, 50));
    assert_eq!(endings(&picture), ["webp 100x50", "jpg 100x50", "webp 80x40", "jpg 80x40", "webp 40x20", "jpg 40x20"]);
    assert!(picture.files[0].path.starts_with("i/lamp-front-") && picture.files[0].path.ends_with("-100.webp"));
    for (file, bytes) in picture.files.iter().zip(&files) {
        let read = image::load_from_memory(bytes).expect("it can be read");
        assert_eq!((read.width(), read.height()), (file.width, file.height));
    }
    assert!(picture.color.is_some());
    assert_eq!(picture.srcset(true, 80).matches("w,").count(), 1);
    assert_eq!((picture.largest().width, picture.at_least(60, true).width), (100, 80));
}

#[test]
fn the_turn_is_applied_and_what_the_camera_noted_is_dropped() {
    let desk = Desk::new();
    // Red above, blue below; held on its side.
    let upright = RgbImage::from_fn(40, 80, |_, y| if y < 40 { image::Rgb([250, 0, 0]) } else { image::Rgb([0, 0, 250]) });
    let stored = image::imageops::rotate270(&upright);
    let source = with_segment(&bytes(&DynamicImage::ImageRgb8(stored), ImageFormat::Jpeg), 0xE1, &exif(6));
    assert!(source.windows(3).any(|part| part == b"GPS"));
    let (picture, files) = desk.good("turned.jpg", &source);
    assert_eq!((picture.largest().width, picture.largest().height), (40, 80));
    for bytes in &files {
        assert!(!bytes.windows(3).any(|part| part == b"GPS") && !bytes.windows(4).any(|part| part == b"Exif" || part == b"EXIF"));
        let read = image::load_from_memory(bytes).expect("it can be read").into_rgb8();
        assert!(read.get_pixel(20, 10)[0] > 200 && read.get_pixel(20, 70)[2] > 200, "red is above");
    }
}

#[test]
fn another_colour_space_becomes_srgb() {
    let desk = Desk::new();
    let plain = bytes(&DynamicImage::ImageRgb8(RgbImage::from_pixel(40, 40, image::Rgb([200, 60, 60]))), ImageFormat::Jpeg);
    let profile = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
    let source = with_segment(&plain, 0xE2, &[b"ICC_PROFILE\0\x01\x01", &profile[..]].concat());
    let red = |files: &[Vec<u8>]| image::load_from_memory(&files[1]).expect("a JPEG").into_rgb8().get_pixel(20, 20)[0];
    let (plain, wide) = (desk.good("plain.jpg", &plain).1, desk.good("wide.jpg", &source).1);
    assert!((198..=202).contains(&red(&plain)), "{}", red(&plain));
    assert!(red(&wide) > 208, "{}: the same numbers are a stronger red in Display P3", red(&wide));
    assert!(wide.iter().all(|bytes| !bytes.windows(4).any(|part| part == b"ICC_" || part == b"ICCP")));
}

#[test]
fn what_can_be_seen_through_stays_so() {
    let desk = Desk::new();
    let mut photo = DynamicImage::ImageRgb8(photo(100, 100)).into_rgba8();
    photo.pixels_mut().for_each(|pixel| pixel[3] = if pixel[0] < 128 { 0 } else { 255 });
    let (picture, files) = desk.good("glass.png", &bytes(&DynamicImage::ImageRgba8(photo), ImageFormat::Png));
    assert_eq!(endings(&picture)[..2], ["webp 100x100", "png 100x100"]);
    assert_eq!(picture.color, None, "a colour behind it would be seen");
    for bytes in &files {
        let read = image::load_from_memory(bytes).expect("it can be read").into_rgba8();
        let (width, height) = read.dimensions();
        assert_eq!((read.get_pixel(width / 8, height / 2)[3], read.get_pixel(width * 7 / 8, height / 2)[3]), (0, 255));
    }
}

#[test]
fn a_picture_that_a_page_is_shared_with_lies_whole_on_the_ground_of_the_shop() {
    let desk = Desk::new();
    let look = |bytes: &[u8]| image::load_from_memory(bytes).expect("a picture").into_rgb8();
    let is_ground = |pixel: &image::Rgb<u8>| pixel[0] > 240 && pixel[1] < 15 && pixel[2] < 15;
    let white = |width, height| {
        bytes(&DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, image::Rgb([255; 3]))), ImageFormat::Jpeg)
    };
    for (width, height, left, top) in [(400, 800, 443, 0), (900, 300, 150, 165), (40, 20, 580, 305)] {
        let desk = Desk { settings: ImageSettings { widths: vec![1600], ..settings() }, ..Desk::new() };
        let (picture, files) = desk.good("shared.jpg", &white(width, height));
        let preview = picture.preview.as_ref().expect("one is wanted");
        assert_eq!((preview.width, preview.height, files.len()), (1200, 630, picture.files.len() + 1));
        assert!(preview.path.ends_with("-preview.jpg") && preview.is(&blake3::hash(files.last().expect("files"))));
        let sheet = look(files.last().expect("files"));
        assert_eq!(sheet.dimensions(), (1200, 630));
        assert!(sheet.get_pixel(600, 315).0 > [250; 3], "{width} × {height}: the picture is amid it");
        assert!(is_ground(sheet.get_pixel(left - 9, 315)) && !is_ground(sheet.get_pixel(left + 9, 315)), "{width} × {height}");
        assert!(top < 9 || (is_ground(sheet.get_pixel(600, top - 9)) && !is_ground(sheet.get_pixel(600, top + 9))));
    }
    // What can be seen through shows the ground; what moves is shared as it is; nobody else has a preview.
    let clear = bytes(&DynamicImage::ImageRgba8(RgbaImage::new(300, 300)), ImageFormat::Png);
    let (_, files) = desk.good("shared.png", &clear);
    assert!(is_ground(look(files.last().expect("files")).get_pixel(600, 315)));
    let (other, files) = desk.good("other.png", &clear);
    assert!(other.preview.is_none() && files.len() == other.files.len());
    // A picture that was made without is made again with it, and the other way round.
    let path = desk.folder.path().join("other.png");
    let with = |previews: &[&'static str]| {
        let workshop = Workshop { previews: previews.iter().copied().collect(), ..desk.workshop() };
        let original = Original { name: "other.png".to_owned(), path: path.clone() };
        workshop.make(vec![original], str::to_owned).0.remove(0).1.expect("it is good").preview.is_some()
    };
    assert_eq!([with(&["other.png"]), with(&["other.png"]), with(&[])], [true, true, false]);
}

#[test]
fn a_drawing_is_not_blurred() {
    let desk = Desk::new();
    let drawing = RgbImage::from_fn(40, 40, |x, _| if x < 20 { image::Rgb([255, 0, 0]) } else { image::Rgb([255, 255, 255]) });
    let source = bytes(&DynamicImage::ImageRgb8(drawing.clone()), ImageFormat::Png);
    let (picture, files) = desk.good("logo.png", &source);
    assert_eq!(endings(&picture), ["webp 40x40", "png 40x40"]);
    for bytes in &files {
        assert_eq!(image::load_from_memory(bytes).expect("it can be read").into_rgb8(), drawing);
    }
}

#[test]
fn what_moves_is_published_as_it_is_and_a_single_frame_is_a_still() {
    let desk = Desk::new();
    let frame = |red: u8| Frame::new(RgbaImage::from_pixel(30, 20, Rgba([red, 0, 0, 255])));
    let gif = |frames: Vec<Frame>| {
        let mut bytes = Vec::new();
        GifEncoder::new(&mut bytes).encode_frames(frames).expect("written");
        bytes
    };
    let moving = gif(vec![frame(0), frame(200)]);
    let (picture, files) = desk.good("moving.gif", &moving);
    assert_eq!((endings(&picture), files), (vec!["gif 30x20".to_owned()], vec![moving]));
    assert_eq!(picture.srcset(false, u32::MAX), "");
    assert_eq!(endings(&desk.good("still.gif", &gif(vec![frame(200)])).0), ["webp 30x20", "png 30x20"]);
    // By its bytes, not by its name.
    let large = [gif(vec![frame(0), frame(200)]), vec![0; MAX_MOVING_BYTES]].concat();
    let (_, problems) = desk.make(&[("large.png", &large)]);
    assert!(problems[0].message.contains("moves and has 500 kB"), "{problems:?}");
}

#[test]
fn a_picture_with_too_many_pixels_fails_alone_by_its_head() {
    let desk = Desk::new();
    // A whole JPEG's head with other numbers in it: 20,000 × 14,000.
    let mut source = jpeg(40, 40);
    let frame = source.windows(2).position(|pair| pair[0] == 0xFF && (pair[1] == 0xC0 || pair[1] == 0xC1)).expect("a frame");
    source[frame + 5..frame + 9].copy_from_slice(&[&14_000_u16.to_be_bytes()[..], &20_000_u16.to_be_bytes()].concat());
    let told = desk.bad("giant.jpg", &source);
    assert!(
        told.contains("20000 × 14000 pixels, 280 megapixels; 1 are read at most") && told.contains("max_megapixels"),
        "{told}"
    );
}

#[test]
fn a_picture_that_breaks_off_fails_alone() {
    let desk = Desk::new();
    let whole = jpeg(200, 200);
    for length in [whole.len() / 2, whole.len() - 3, 300] {
        let told = desk.bad("stump.jpg", &whole[..length]);
        assert!(told.contains("breaks off") || told.contains("broken"), "{length}: {told}");
    }
    let png = bytes(&DynamicImage::ImageRgb8(photo(100, 100)), ImageFormat::Png);
    assert!(desk.bad("stump.png", &png[..png.len() / 2]).contains("broken"));
    // What a camera appends behind the end is no harm.
    desk.good("appended.jpg", &[&whole[..], b"more"].concat());
}

#[test]
fn what_is_no_picture_that_is_read_says_what_to_write() {
    let desk = Desk::new();
    assert!(desk.bad("a.jpg", b"").contains("no picture"));
    assert!(desk.bad("b.jpg", b"<html>not found</html>").contains("save it as JPEG"));
    assert!(desk.bad("c.png", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1").contains("an AVIF picture"));
}

#[test]
fn inks_become_light() {
    // By hand: T.871 of mid grey in YCCK, and Adobe's turned inks.
    assert_eq!(decode::from_ycck([128, 128, 128, 7]), [127, 127, 127, 7]);
    assert_eq!(decode::from_ycck([255, 128, 128, 0]), [0, 0, 0, 0]);
}

#[test]
fn a_picture_that_stayed_is_not_read_and_a_lost_set_is_made_again() {
    let desk = Desk::new();
    let source = jpeg(60, 60);
    let path = desk.folder.path().join("a.jpg");
    std::fs::write(&path, &source).expect("written");
    let make = || desk.workshop().make(vec![Original { name: "a.jpg".to_owned(), path: path.clone() }], str::to_owned);
    let sets = || -> Vec<PathBuf> {
        let paths = std::fs::read_dir(desk.folder.path()).expect("a folder").flatten().map(|entry| entry.path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "set")).collect()
    };
    let first = make().0.remove(0).1.expect("good");
    // Whoever reads the picture makes its set again where that is gone.
    sets().iter().for_each(|set| std::fs::remove_file(set).expect("it may be deleted at any time"));
    let second = make().0.remove(0).1.expect("it was not read");
    assert_eq!((first.files, sets().len()), (second.files.clone(), 0));
    let before = desk.workshop().bytes(&second).expect("made again");
    // Other bytes of the same length: only the time at which the file changed tells, as soon as the clock has gone on.
    let stamp = || Stamp::of(&path, *LATER).expect("it is there");
    let before_it = stamp();
    while stamp() == before_it {
        std::fs::write(&path, vec![0; source.len()]).expect("written");
    }
    assert!(make().0.remove(0).1.is_none(), "it was read");
    std::fs::write(&path, &source).expect("written");
    make();
    assert_eq!(sets().len(), 1);
    std::fs::write(&sets()[0], b"vitrine picture\nnot whole").expect("written");
    assert_eq!(desk.workshop().bytes(&second).expect("made again"), before);
    // A set that no picture uses goes.
    std::fs::write(&path, jpeg(61, 61)).expect("written");
    make();
    assert_eq!(sets().len(), 1);
}

#[test]
fn the_encoders_are_those_of_the_lock_file() {
    let lock = include_str!("../../../Cargo.lock");
    for (name, version) in ENCODERS {
        let wanted = format!("name = \"{name}\"\nversion = \"{version}\"");
        assert!(
            lock.contains(&wanted),
            "{name} is no longer {version}: write the new version into ENCODERS, so that addresses change"
        );
    }
}
