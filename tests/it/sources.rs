//! Sources: what each format of another shop means, trap by trap, on small files of our own; tests/it/catalogues.rs has the real ones.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;
use vitrine::commerce::catalog::{Price, Product, ProductStatus, QuantityRule, StockPolicy, Variant};
use vitrine::commerce::ids::Timestamp;
use vitrine::site::load::sources::{self, BulkFormat, BulkSource, Found, WeightUnit};
use vitrine::site::load::{self, Body};
use vitrine::site::problem::Problems;

use crate::support::shop::rules;

/// A file of that format, read in a shop that sells in euros.
fn read(format: BulkFormat, text: &str) -> (Found, Problems) {
    read_as(&BulkSource::new(format, "x", PathBuf::new()), text)
}

fn read_as(source: &BulkSource, text: &str) -> (Found, Problems) {
    let mut problems = Problems::new();
    let found = sources::parse(text.as_bytes(), source, &rules("EUR"), &mut problems);
    load::check_skus_of(&found.products, &mut problems);
    problems.sort();
    (found, problems)
}

/// All that is told, as `line:column text` in short.
#[track_caller]
fn tells(problems: &Problems, expected: &[(usize, &str)]) {
    let told: Vec<(usize, &str)> = problems.all().iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    let fits = told.len() == expected.len()
        && expected.iter().zip(&told).all(|(one, other)| one.0 == other.0 && other.1.contains(one.1));
    assert!(fits, "{told:#?}");
}

#[track_caller]
fn product<'a>(found: &'a Found, slug: &str) -> &'a Product {
    let slugs: Vec<&str> = found.products.iter().map(|found| found.product.slug.as_str()).collect();
    found
        .products
        .iter()
        .map(|found| &found.product)
        .find(|one| one.slug.as_str() == slug)
        .unwrap_or_else(|| panic!("{slug}: {slugs:?}"))
}

fn minor(variant: &Variant) -> Option<(i64, Option<i64>)> {
    variant.prices.first().map(|price| (price.unit_minor, price.compare_at_minor))
}

fn skus(product: &Product) -> Vec<&str> {
    product.variants.iter().map(|variant| variant.sku.as_str()).collect()
}

fn categories(product: &Product) -> Vec<&str> {
    product.categories.iter().map(|path| path.as_str()).collect()
}

fn details<'a>(found: &'a Found, slug: &str) -> &'a load::ProductDetails {
    &found.products.iter().find(|one| one.product.slug.as_str() == slug).expect(slug).details
}

const WOO: &str = "\u{feff}ID,Type,SKU,Name,Published,Visibility in catalog,Description,Date sale price starts,Date sale price ends,In stock?,\
Stock,Backorders allowed?,Sold individually?,Weight (kg),Sale price,Regular price,Categories,Images,Parent,Grouped products,External URL,\
Button text,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 2 name,Attribute 2 value(s),Attribute 2 visible
1,variable,TEE,Tee,1,visible,<p>Soft</p>,,,1,,0,0,.2,,,\"Wear > Tees, Wear\\, worn > Old\",https://x.example/t.jpg?v=1,,,,,Colour,\"Red, Blue\",1,Size,\"S, M, L\",1
2,simple,CAP,Cap,1,visible,One line,2026-01-01,2026-01-31,1,3,0,1,.05,16,18,Wear,,,,,,Made of,\"Wool, Felt\",1,Secret,x,0
3,\"simple, downloadable, virtual\",SONG,Song,1,visible,,,,1,,0,0,,2,3,Music,,,,,,,,,,,
4,grouped,SET,Set,1,visible,,,,1,,0,0,,,,Wear,,,\"CAP, id:1, NONE\",,,,,,,,
5,external,FLAG,Flag,1,visible,,,,1,,0,0,,,11.05,Decor,,,,https://other.example/flag?a=1&b=2,Buy <there>,,,,,,
6,variation,TEE-R,Tee - Red,1,visible,,,,1,5,0,0,,,20,,https://x.example/r.jpg,TEE,,,,Colour,Red,,Size,,
7,simple,HAT,Hat,1,hidden,,,,0,,1,0,,,9.999,,,,,,,,,,,,
8,subscription,SUB,Club,1,visible,,,,1,,0,0,,,5,,,,,,,,,,,,
9,variation,TEE-B,Tee - Blue,1,visible,,,,1,,notify,0,,12,15,,,id:1,,,,Colour,Blue,,Size,M,
10,variation,LOST,Lost,1,visible,,,,1,,0,0,,,20,,,GONE,,,,Colour,Red,,Size,S,
11,variation,TEE-X,Tee,0,visible,,,,1,,0,0,,,20,,,TEE,,,,Colour,Blue,,Size,S,
12,simple,GIFT,Gift,-1,visible,,,,1,,0,0,,,0,,pics/a b.jpg,,,,,,,,,,
";

#[test]
fn woocommerce_rows_of_every_kind_are_what_they_are_there() {
    let (found, problems) = read(BulkFormat::Woocommerce, WOO);
    tells(
        &problems,
        &[
            (5, "there is no product `NONE`"),
            (5, "a grouped product is shown with its parts"),
            (6, "an external product is shown with a link"),
            (7, "this variation stands for any Size: it becomes 3 variants"),
            (8, "this product is hidden there; here it is a draft"),
            (8, "`9.999` has more decimals"),
            (9, "products of the type `subscription` cannot be sold yet"),
            (11, "this variation belongs to `GONE`"),
            (12, "this variation is not published"),
            (13, "the price is 0"),
            (13, "this picture is a path"),
        ],
    );
    let tee = product(&found, "tee");
    assert_eq!(skus(tee), ["TEE-R-s", "TEE-R-m", "TEE-R-l", "TEE-B"]);
    assert_eq!(tee.variants.iter().map(|one| one.opening_stock).collect::<Vec<_>>(), [2, 2, 1, 0], "five units, shared out");
    assert_eq!(tee.variants[3].option_values, ["Blue", "M"], "combinations that are not there cannot be chosen");
    assert_eq!((minor(&tee.variants[0]), minor(&tee.variants[3])), (Some((2000, None)), Some((1200, Some(1500)))));
    assert_eq!((tee.variants[3].stock_policy, tee.variants[0].weight_g), (StockPolicy::Backorder, 200));
    assert_eq!(categories(tee), ["wear/tees", "wear-worn/old"]);
    assert_eq!(tee.image.as_ref().map(|image| image.url.as_str()), Some("https://x.example/t.jpg?v=1"));
    let cap = product(&found, "cap");
    let price = &cap.variants[0].prices[0];
    assert_eq!((price.unit_minor, price.sales[0].price_minor), (1800, 1600));
    // The last day counts whole.
    assert_eq!((price.sales[0].from, price.sales[0].until), (Some(Timestamp(1_767_225_600)), Some(Timestamp(1_769_904_000))));
    assert_eq!((cap.quantity, cap.variants[0].opening_stock), (QuantityRule { min: 1, max: 1, step: 1 }, 3));
    assert_eq!(details(&found, "cap").attributes, [("Made of".to_owned(), "Wool, Felt".to_owned())]);
    let song = product(&found, "song");
    assert!(!song.variants[0].requires_shipping && minor(&song.variants[0]) == Some((200, Some(300))));
    assert!(product(&found, "set").variants[0].prices.is_empty());
    let related: Vec<&str> = details(&found, "set").related.iter().map(|slug| slug.as_str()).collect();
    assert_eq!(related, ["cap", "tee"]);
    assert!(product(&found, "flag").variants[0].prices.is_empty());
    let Body::Html(body) = &details(&found, "flag").body else { panic!("HTML") };
    assert!(body.contains("https://other.example/flag?a=1&amp;b=2") && body.contains("Buy &lt;there&gt;"), "{body}");
    assert_eq!(product(&found, "hat").status, ProductStatus::Draft);
    assert_eq!(product(&found, "gift").status, ProductStatus::Draft);
    assert!(problems.errors() == 1 && found.columns_left_out.is_empty(), "{:?}", found.columns_left_out);
}

#[test]
fn zero_is_free_only_with_leave_and_pictures_need_a_base() {
    let source = BulkSource {
        allow_free: true,
        images: Some("https://cdn.example/media/".to_owned()),
        ..BulkSource::new(BulkFormat::Woocommerce, "x", PathBuf::new())
    };
    let (found, problems) = read_as(&source, WOO);
    assert!(problems.all().iter().all(|problem| problem.line != 13), "{}", problems.render(false));
    let gift = product(&found, "gift");
    assert_eq!(minor(&gift.variants[0]), Some((0, None)));
    assert_eq!(gift.image.as_ref().map(|image| image.url.as_str()), Some("https://cdn.example/media/pics/a%20b.jpg"));
}

const MAGENTO: &str = "sku,store_view_code,product_type,categories,name,description,weight,product_online,tax_class_name,visibility,price,\
special_price,special_price_from_date,special_price_to_date,url_key,base_image,additional_attributes,qty,is_in_stock,manage_stock,\
use_config_manage_stock,configurable_variations
H-S,,simple,Root/Men,Hoodie S,,1,1,Taxable Goods,Not Visible Individually,52,40,1/1/26,1/31/26,hoodie-s,/h/s.jpg,\"size=S,color=Black\",7,1,0,1,
H-M,,simple,Root/Men,Hoodie M,,1,1,Taxable Goods,Not Visible Individually,54.0000,,,,hoodie-m,/h/m.jpg,\"size=M,color=Black\",0,0,0,1,
H-L,,simple,Root/Men,Hoodie L,,1,1,Taxable Goods,\"Catalog, Search\",54,,,,hoodie-l,/h/l.jpg,\"size=L,color=Black\",3,1,0,0,
H,,configurable,\"Root/Men/Tops & Sweaters,Root/Eco, green,Root,Root/Men\",\"Hoodie&trade; \",\"<p>Warm &bull; <li>soft
<li>dry</p>\",,1,Taxable Goods,\"Catalog, Search\",52,,,,,/h/main.jpg,\"has_options=1,climate=Cool|Windy,note=a, b,new=No\",0,1,0,1,\"sku=H-S,size=S,color=Black|sku=H-M,size=M,color=Black|sku=H-L,size=L,color=Black|sku=H-XL,size=XL,color=Black\"
H,de,configurable,,Kapuzenpulli,,,,,,,,,,,,,,,,,
LOOSE,,simple,Root/Gear,Loose,,,1,Taxable Goods,Not Visible Individually,5,,,,loose,,,1,1,0,1,
BOX,,bundle,Root/Gear,Box,,,1,Taxable Goods,Catalog,5,,,,box,,,1,1,0,1,
FILE,,downloadable,Root/Gear,File,,,2,Reduced,Catalog,5,,,,file,,,1,1,0,1,
FILE,,simple,Root/Gear,Again,,,1,None,Catalog,5,,,,again,,,1,1,0,1,
";

#[test]
fn magento_children_become_variants_and_have_no_page() {
    let source = BulkSource {
        weight_unit: Some(WeightUnit::Kilogram),
        images: Some("media/catalog".to_owned()),
        ..BulkSource::new(BulkFormat::Magento, "x", PathBuf::new())
    };
    let (found, problems) = read_as(&source, MAGENTO);
    tells(
        &problems,
        &[
            (4, "`H-L` is a variant of another product; its own page is left out"),
            (5, "there is no row with the SKU `H-XL`"),
            (7, "texts of the store view `de`"),
            (8, "`LOOSE` is not visible, and no product lists it"),
            (9, "products of the type `bundle` cannot be sold yet"),
            (11, "the SKU `FILE` is already used on line 10"),
        ],
    );
    assert_eq!(found.products.len(), 2);
    let hoodie = product(&found, "hoodietm");
    assert_eq!(hoodie.title, "Hoodie™", "entities in names are decoded once");
    assert_eq!(skus(hoodie), ["H-S", "H-M", "H-L"]);
    let names: Vec<&str> = hoodie.options.iter().map(|option| option.name.as_str()).collect();
    assert_eq!((names, hoodie.options[0].values.len()), (vec!["Size", "Color"], 3));
    assert_eq!(hoodie.variants.iter().map(|one| one.opening_stock).collect::<Vec<_>>(), [7, 0, 0], "stock is the children's");
    let policies: Vec<StockPolicy> = hoodie.variants.iter().map(|one| one.stock_policy).collect();
    assert_eq!(policies, [StockPolicy::Deny, StockPolicy::Deny, StockPolicy::Untracked]);
    assert_eq!((minor(&hoodie.variants[1]), hoodie.variants[0].weight_g), (Some((5400, None)), 1000));
    assert_eq!(hoodie.variants[0].prices[0].sales[0].until, Some(Timestamp(1_769_904_000)));
    assert_eq!(categories(hoodie), ["men/tops-sweaters", "eco-green"], "neither the root nor what is on the way to a deeper one");
    assert_eq!(hoodie.variants[0].image.as_ref().map(|image| image.url.as_str()), Some("media/catalog/h/s.jpg"));
    let facts: Vec<(&str, &str)> =
        details(&found, "hoodietm").attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(facts, [("Climate", "Cool, Windy"), ("New", "No"), ("Note", "a, b")]);
    let Body::Html(body) = &details(&found, "hoodietm").body else { panic!("HTML") };
    assert!(body.contains("Warm •") && body.matches("<li>").count() == body.matches("</li>").count(), "{body}");
    let file = product(&found, "file");
    assert_eq!((file.status, file.tax_class.as_str(), file.variants.len()), (ProductStatus::Draft, "reduced", 1));
}

const VENDURE: &str = "name:en      , name:de , slug , description:en , facets:en                        , optionGroups , optionValues:en , sku , price , taxCategory , stockOnHand , trackInventory , keywords
             ,         ,      ,                ,                                  ,              , S               , A0  , 1     , standard    , 1           , true           ,
Paper press  , Presse  ,      , Flat & dry     , category:Tools|brand:KB|use:Home , size         , Small           , A1  , 45.3  , standard    , 10          , false          , \"paper, \"\"flat\"\"\"
             ,         ,      ,                ,                                  ,              , Large           , A2  , 59.50 , standard    , 3           , true           , \"a, b\"
             ,         ,      ,                ,                                  ,              , Large           , A3  , 60    , standard    , 3           , true           ,
             ,         ,      ,                ,                                  ,              , Huge            , A1  , 60    , standard    , 3           , true           ,
عصارة ورق    ,         ,      ,                ,                                  ,              ,                 ,     , 9     , luxury      , 1           ,                ,
";

#[test]
fn vendure_rows_follow_their_product_in_one_language() {
    let (found, problems) = read(BulkFormat::Vendure, VENDURE);
    tells(
        &problems,
        &[
            (2, "this row belongs to no product"),
            (3, "a text in `de` is left out"),
            (5, "the variant `Large` is there already, on line 4"),
            (6, "the SKU `A1` is already used at x:3"),
            (7, "a product has the tax class `luxury`"),
        ],
    );
    let press = product(&found, "paper-press");
    assert_eq!((press.title.as_str(), press.brand.as_deref(), categories(press)), ("Paper press", Some("KB"), vec!["tools"]));
    assert_eq!(press.options[0].name, "Size");
    assert_eq!((press.variants[0].stock_policy, minor(&press.variants[0])), (StockPolicy::Untracked, Some((4530, None))));
    assert_eq!((press.variants[1].stock_policy, press.variants[1].opening_stock), (StockPolicy::Deny, 3));
    assert_eq!(details(&found, "paper-press").attributes, [("Use".to_owned(), "Home".to_owned())]);
    assert_eq!(found.columns_left_out["x"], ["keywords"]);
    let arabic = found.products.iter().find(|one| !one.product.title.is_ascii()).expect("it is there");
    assert!(!arabic.product.slug.as_str().is_empty() && arabic.product.slug.as_str().is_ascii());
    let source = BulkSource { language: Some("de".to_owned()), ..BulkSource::new(BulkFormat::Vendure, "x", PathBuf::new()) };
    assert_eq!(product(&read_as(&source, VENDURE).0, "presse").title, "Presse");
}

const SPREE: &str =
    "slug,sku,name,price,compare_at_price,currency,status,tags,category1,option1_name,option1_value,weight,weight_unit,\
inventory_count,inventory_backorderable,track_inventory,available_on,custom_field.custom.wattage,custom_field.custom.warranty
kettle,KETTLE,Kettle,0,0,EUR,active,\"a, b\",Kitchen -> Kettles,,,,lb,,FALSE,,,2200W,
kettle,KETTLE-W,,44.99,49.99,EUR,,,,Color,White,2.4,lb,50,FALSE,TRUE,,,
kettle,KETTLE-B,,44.99,0,EUR,,,,Color,Black,2.4,lb,50,TRUE,TRUE,,,
pot,KETTLE,Pot,0,0,EUR,active,,Kitchen -> Pots & Pans,,,,lb,,FALSE,,,,
pot,POT-1,,30,0,EUR,,,,Color,Red,,,5,FALSE,FALSE,,,
bare,BARE,Bare,12,0,EUR,draft,,Kitchen,,,,,5,FALSE,TRUE,2030-01-01,,2 Years
free,FREE,Free,0,0,EUR,active,,,,,,,5,FALSE,TRUE,,,
kettle,KETTLE-W,,39.99,59,USD,,,,,,,,,FALSE,,,,
kettle,KETTLE-B,,43,,EUR,,,,,,,,,FALSE,,,,
bare,BARE,,11,,USD,,,,,,,,,FALSE,,,,
ghost,GHOST,,11,,USD,,,,,,,,,FALSE,,,,
";

#[test]
fn spree_masters_are_no_articles_and_currencies_come_in_rows() {
    let (found, problems) = read(BulkFormat::Spree, SPREE);
    tells(
        &problems,
        &[
            (5, "the SKU `KETTLE` stands on line 2 too"),
            (8, "the price is 0"),
            (9, "2 prices in USD are left out: no market sells in it"),
            (10, "this variant has a price in EUR already, on line 4"),
            (12, "the SKU `GHOST` belongs to no variant"),
        ],
    );
    let kettle = product(&found, "kettle");
    assert_eq!(skus(kettle), ["KETTLE-W", "KETTLE-B"], "the master with price 0 is not sold");
    assert_eq!((minor(&kettle.variants[0]), minor(&kettle.variants[1])), (Some((4499, Some(4999))), Some((4499, None))));
    assert_eq!((kettle.variants[0].weight_g, kettle.variants[1].stock_policy), (1089, StockPolicy::Backorder));
    assert_eq!(categories(kettle), ["kitchen/kettles"]);
    assert_eq!(details(&found, "kettle").attributes, [("Wattage".to_owned(), "2200W".to_owned())]);
    assert_eq!(product(&found, "pot").variants[0].stock_policy, StockPolicy::Untracked);
    let bare = product(&found, "bare");
    assert_eq!((skus(bare), minor(&bare.variants[0]), bare.status), (vec!["BARE"], Some((1200, None)), ProductStatus::Draft));
    assert!(bare.publish_at.is_some() && product(&found, "free").variants[0].prices.is_empty());
    let (_, problems) = read(BulkFormat::Spree, "slug,locale,name\nkettle,de,Kessel\n");
    assert!(problems.has_errors() && problems.render(false).contains("translations only"), "{}", problems.render(false));
}

#[test]
fn spree_prices_of_every_market_are_taken() {
    let site = crate::support::shop::site("EUR")
        + "\n[[markets]]\nid = \"us\"\nprefix = \"us\"\ncountries = [\"DE\"]\ncurrency = \"USD\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("site.toml"), site).expect("written");
    let mut problems = Problems::new();
    let rules = vitrine::config::read(folder.path(), &mut problems).expect("settings").rules;
    let source = BulkSource::new(BulkFormat::Spree, "x", PathBuf::new());
    let found = sources::parse(SPREE.as_bytes(), &source, &rules, &mut problems);
    let white = &product(&found, "kettle").variants[0];
    let prices: Vec<(&str, i64)> = white.prices.iter().map(|price| (price.currency.code(), price.unit_minor)).collect();
    assert_eq!(prices, [("EUR", 4499), ("USD", 3999)]);
    assert!(problems.render(false).contains("a reduced price in USD is taken without what it is compared with"));
}

const SHOPIFY: &str = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Compare At Price,Status";

#[test]
fn the_same_handle_further_down_is_an_error_with_both_rows() {
    let text =
        format!("{SHOPIFY}\nlamp,Lamp,Size,S,L-S,10,,\nlamp,,,M,L-M,10,0,\nvase,Vase,,,V,5,,\nlamp,Lamp,Size,S,L-2,12,,\n");
    let (found, problems) = read(BulkFormat::Shopify, &text);
    tells(&problems, &[(5, "the address `lamp` is already that of x:2")]);
    assert!(problems.has_errors() && product(&found, "lamp").variants.len() == 2);
}

#[test]
fn a_repeated_sku_names_both_rows() {
    let text = format!("{SHOPIFY}\nlamp,Lamp,Size,S,L,10,,\nlamp,,,M,L,10,,\nvase,Vase,,,L,5,,\n");
    let (_, problems) = read(BulkFormat::Shopify, &text);
    tells(&problems, &[(3, "the SKU `L` is already used at x:2"), (4, "the SKU `L` is already used at x:2")]);
    assert_eq!(problems.errors(), 2);
}

#[test]
fn semicolons_decimal_commas_and_other_headers_are_read() {
    let text = "\u{feff}HANDLE; title ;Option1 name;Option1 value;Variant sku;Variant PRICE;x;status\r\nlamp;Lamp;;;L;\"12,50\";;\r\nvase;Vase;;;V;1,500;;\r\n";
    let (found, problems) = read(BulkFormat::Shopify, text);
    tells(&problems, &[(3, "`1,500` is not an amount")]);
    assert_eq!(problems.all()[0].column, 6);
    assert_eq!(minor(&product(&found, "lamp").variants[0]), Some((1250, None)));
}

#[test]
fn equal_values_in_another_form_give_equal_products() {
    let one = format!(
        "{SHOPIFY},Variant Grams,Variant Inventory Qty,Variant Requires Shipping\nlamp,Lamp,Title,Default Title,L,25,0,active,0,25,TRUE\n"
    );
    let other = one.replace(",25,0,active,0,25,TRUE", ",25.00,0.0,Active,0.0,25.0,true");
    let (one, other) = (read(BulkFormat::Shopify, &one), read(BulkFormat::Shopify, &other));
    assert_eq!(one.0.products[0].product, other.0.products[0].product);
}

/// A document of products with titles and colours.
fn document(items: &[(usize, usize, Option<usize>)]) -> String {
    let item = |(title, colour, price): &(usize, usize, Option<usize>)| {
        let price = price.map_or("null".to_owned(), |price| format!("{price}.50"));
        format!("{{\"title\": \"Lamp {title}\", \"colour\": \"C{colour}\", \"price\": {price}}}")
    };
    format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(",\n"))
}

fn mapped(toml: &str) -> BulkSource {
    BulkSource { map: Some(toml::from_str(toml).expect("a map")), ..BulkSource::new(BulkFormat::Json, "x", PathBuf::new()) }
}

proptest! {
    #![proptest_config(crate::support::cases(64))]

    #[test]
    fn addresses_do_not_depend_on_the_order_of_rows(
        items in prop::collection::vec((0usize..3, 0usize..3, prop::option::of(0usize..2)), 0..12),
        seed in any::<u64>(),
    ) {
        let source = mapped("title = \"title\"\nprice = \"price\"\nattributes = { Colour = \"colour\" }");
        let slugs = |items: &[(usize, usize, Option<usize>)]| {
            let (found, problems) = read_as(&source, &document(items));
            assert!(!problems.has_errors(), "{}", problems.render(false));
            let mut slugs: Vec<(String, String, String)> = found.products.iter().map(|one| {
                let product = &one.product;
                (product.slug.to_string(), format!("{:?}", one.details.attributes), format!("{:?}", product.variants[0].prices))
            }).collect();
            slugs.sort();
            slugs
        };
        let mut shuffled = items.clone();
        let length = shuffled.len().max(1);
        for index in 0..shuffled.len() {
            shuffled.swap(index, (seed as usize).wrapping_mul(index + 7) % length);
        }
        let first = slugs(&items);
        prop_assert_eq!(&first, &slugs(&shuffled));
        let distinct: BTreeSet<_> = items.iter().collect();
        prop_assert_eq!(first.len(), distinct.len(), "every product once");
    }

    #[test]
    fn arbitrary_text_is_products_or_problems(text in "(\\PC|[,;\"\n\r|>=]){0,200}", head in 0usize..7) {
        let heads = [
            (BulkFormat::Woocommerce, "Type,SKU,Name,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)\n"),
            (BulkFormat::Magento, "sku,name,price,configurable_variations,additional_attributes,categories\n"),
            (BulkFormat::Vendure, "name , sku , price , optionGroups , optionValues , facets \n"),
            (BulkFormat::Spree, "slug,sku,name,price,currency,option1_name,option1_value\n"),
            (BulkFormat::Shopify, "Handle,Title,Variant Price,Option1 Name,Option1 Value\n"),
            (BulkFormat::Jsonl, "{\"title\": \"x\"}\n"),
            (BulkFormat::Json, ""),
        ];
        let (format, head) = heads[head];
        let source = BulkSource { format, ..mapped("title = \"t\"\nitems = \"a.0\"") };
        let (found, problems) = read_as(&source, &format!("{head}{text}"));
        for found in found.products {
            prop_assert!(!found.product.slug.as_str().is_empty());
        }
        let _ = problems.render(false);
    }
}

#[test]
fn a_map_says_where_the_values_are() {
    let source = mapped(
        "items = \"data.products\"\nwhere = { kind = \"lamp\" }\ntitle = \"name\"\nslug = \"path\"\nprice = \"cost.now\"\n\
         compare_at = \"cost.was\"\nbody = \"text\"\nbrand = \"maker\"\ncategory_path = \"way\"\ncategories = \"groups\"\n\
         images = \"photos\"\ntags = \"words\"\nstock = \"count\"\ngtin = \"codes.0\"\nupdated_at = \"at\"\n\
         attributes = { Watts = \"spec.watts\", Dimmed = \"spec.dimmed\", Colours = \"spec.colours\" }\n",
    );
    let text = r#"{"data": {"products": [
        {"kind": "lamp", "name": "A &amp; B \u0041", "path": "ab", "cost": {"now": 9.90, "was": "12.00"}, "text": "a < b", "maker": null,
         "way": ["Light", "Desk > Small"], "groups": "New", "photos": ["https://x.example/1.jpg", "2.jpg"], "words": ["x", "y"],
         "count": 3, "codes": ["4006381333931"], "at": "2026-01-01", "spec": {"watts": 40, "dimmed": true, "colours": ["red", "blue"]}},
        {"kind": "pot", "name": "No lamp"},
        {"kind": "lamp", "name": "C", "cost": {"now": null}},
        {"kind": "lamp", "name": "D", "cost": {"now": 1e2}},
        {"kind": "lamp", "name": null}
    ]}}"#;
    let (found, problems) = read_as(&source, text);
    tells(
        &problems,
        &[
            (3, "this picture is a path"),
            (6, "this variant has no price"),
            (7, "`1e2` is not an amount"),
            (8, "this product has no title"),
        ],
    );
    let lamp = product(&found, "ab");
    assert_eq!((lamp.title.as_str(), minor(&lamp.variants[0])), ("A & B A", Some((990, Some(1200)))));
    assert_eq!(categories(lamp), ["new", "light/desk/small"]);
    assert_eq!((lamp.variants[0].opening_stock, lamp.variants[0].gtin.as_deref()), (3, Some("4006381333931")));
    let facts: Vec<&str> = details(&found, "ab").attributes.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(facts, ["red, blue", "yes", "40"]);
    assert_eq!(details(&found, "ab").body, Body::Html("<p>a &lt; b</p>".to_owned()));
    assert!(product(&found, "c").variants[0].prices.is_empty(), "null is not zero");
}

#[test]
fn a_map_reads_variants_and_tells_slips() {
    let source = mapped("title = \"t\"\nvariants = \"v\"\noptions = { Size = \"s\" }\nsku = \"k\"\nprice = \"pirce\"\n");
    let text = r#"{"t": "Rug", "v": [{"s": "S", "k": "R-S", "price": 10}, {"s": "L", "k": "R-L", "price": 20}, {"k": "R-X", "price": 3}]}
{"t": "Mat", "v": []}"#;
    let (found, problems) = read_as(&source, text);
    tells(
        &problems,
        &[
            (0, "no product has a value at `pirce`, which `map` names for `price`"),
            (1, "4 variants have no price"),
            (1, "this variant has no value for `Size`"),
        ],
    );
    assert!(problems.render(false).contains("did you mean `price`?"));
    assert_eq!((skus(product(&found, "rug")), product(&found, "mat").variants.len()), (vec!["R-S", "R-L"], 1));
    for (text, line, part) in
        [("{\"a\": 1,\n}", 2, "this is no JSON"), ("{}", 0, "no product has a value at `t`"), ("[]", 0, "there is no product")]
    {
        let (_, problems) = read_as(&source, text);
        let told = problems.all().iter().find(|problem| problem.message.contains(part));
        assert_eq!(told.map(|problem| problem.line), Some(line), "{text}: {:?}", problems.all());
    }
}

const EVERY_KEY: &str = r#"{"title": "Rug &amp; mat", "slug": "rug", "brand": "Loom", "categories": ["floor"], "tags": ["wool", "new"], "images": [{"src": "https://x.example/r.jpg", "alt": "A rug"}, {"src": "https://x.example/s.jpg"}], "options": ["Size", "Hue"], "price": "49.90", "compare_at": 59.9, "prices": {"USD": "55"}, "sales": [{"price": 39.90, "from": "2026-01-01", "until": "2026-02-01T00:00:00+01:00"}], "weight_g": 900, "content": "2 m² per 1 m²", "stock_policy": "backorder", "requires_shipping": false, "stock": 4, "variants": [{"options": ["S", "Sand"], "sku": "RUG-S", "gtin": "4006381333931", "image": "https://x.example/s.jpg"}, {"options": ["L", "Sand"], "price": "90", "weight_g": 1800, "stock": 0, "stock_policy": "untracked", "requires_shipping": true, "prices": {"USD": "99"}, "sales": [{"price": "80"}], "compare_at": "95"}], "tax_class": "reduced", "quantity": {"min": 2, "max": 10, "step": 2}, "properties": [{"key": "name", "label": "Name", "required": true, "max_bytes": 20}], "status": "draft", "publish_at": "2026-01-01", "expires_at": "2027-01-01", "updated_at": "2026-01-02T03:04:05Z", "related": ["rug"], "redirects": ["/old/rug"], "maker": "Loom & Sons", "warnings": ["Not for swimming"], "guarantee_years": 5, "attributes": {"Made of": "wool", "Washable": true, "Knots": 12, "Sides": ["a", "b"]}, "seo": {"title": "A rug", "description": "Soft"}, "body": "*Soft* &amp; warm.", "body_format": "markdown"}"#;

/// The keys that a reader names when it meets one that it does not know.
fn known_keys(problems: &Problems) -> BTreeSet<String> {
    let hint = problems.all()[0].hint.as_deref().expect("what to write instead");
    let (_, keys) = hint.split_once("known keys here: ").expect("the keys");
    keys.split(", ").map(str::to_owned).collect()
}

#[test]
fn a_line_has_the_keys_of_front_matter() {
    let (_, problems) = read(BulkFormat::Jsonl, "{\"title\": \"A\", \"zzzzzzzz\": 1}");
    let mut of_line = known_keys(&problems);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("content/products")).expect("made");
    std::fs::write(folder.path().join("content/products/a.md"), "+++\ntitle = \"A\"\nzzzzzzzz = 1\n+++\n").expect("written");
    let mut problems = Problems::new();
    load::load(folder.path(), &rules("EUR"), &[], None, &mut problems);
    let mut of_front_matter = known_keys(&problems);
    assert!(
        ["slug", "body", "body_format", "translations"].into_iter().all(|key| of_line.remove(key))
            && of_front_matter.remove("body")
    );
    assert_eq!(of_line, of_front_matter);
}

#[test]
fn a_line_says_all_that_front_matter_can_say_and_reads_back_from_it() {
    let (found, problems) = read(BulkFormat::Jsonl, EVERY_KEY);
    assert!(problems.all().is_empty(), "{}", problems.render(false));
    let rug = product(&found, "rug");
    assert_eq!((rug.title.as_str(), rug.tax_class.as_str(), rug.status), ("Rug &amp; mat", "reduced", ProductStatus::Draft));
    assert_eq!(skus(rug), ["RUG-S", "rug-l-sand"]);
    assert_eq!(minor(&rug.variants[0]), Some((4990, Some(5990))));
    let sale = &rug.variants[0].prices[0].sales[0];
    assert_eq!((sale.from, sale.until_offset_minutes), (Some(Timestamp(1_767_225_600)), 60));
    let folder = tempfile::tempdir().expect("a folder");
    let rules = rules("EUR");
    let files =
        vitrine::site::import::files(&found.products, &found.categories, &rules.tax.classes[0], rules.root_market().currency);
    std::fs::create_dir_all(folder.path().join("content/products")).expect("made");
    std::fs::create_dir_all(folder.path().join("content/categories/floor")).expect("made");
    std::fs::write(folder.path().join("content/categories/floor/_index.md"), "+++\ntitle = \"Floor\"\n+++\n").expect("written");
    std::fs::write(folder.path().join(&files[0].path), &files[0].text).expect("written");
    let mut problems = Problems::new();
    let loaded = load::load(folder.path(), &rules, &[], None, &mut problems);
    assert!(!problems.has_errors(), "{}", problems.render(false));
    assert_eq!(loaded.catalog.products(), std::slice::from_ref(rug), "{}", files[0].text);
    let without_place =
        |details: &load::ProductDetails| load::ProductDetails { source: load::Source::default(), ..details.clone() };
    assert_eq!(
        format!("{:?}", without_place(&loaded.details(0).expect("they are held"))),
        format!("{:?}", without_place(details(&found, "rug")))
    );
    let written: BTreeSet<String> =
        serde_json::from_str::<serde_json::Value>(EVERY_KEY).expect("JSON").as_object().expect("keys").keys().cloned().collect();
    let (_, problems) = read(BulkFormat::Jsonl, "{\"title\": \"A\", \"zzzzzzzz\": 1}");
    let missing: Vec<String> = known_keys(&problems).difference(&written).cloned().collect();
    assert_eq!(missing, ["gtin", "sku", "translations"], "two belong to a product without variants, one to files beside it");
}

#[test]
fn a_reduction_belongs_to_the_price_in_the_first_markets_currency() {
    let line = r#"{"title": "A", "prices": {"EUR": 19.90, "USD": 21}, "compare_at": 25, "sales": [{"price": 14.90}], "options": ["S"],
        "variants": [{"options": ["x"]}, {"options": ["y"], "price": 9}]}"#;
    let (found, problems) = read(BulkFormat::Jsonl, &line.replace('\n', " "));
    assert!(!problems.has_errors(), "{}", problems.render(false));
    let of = |variant: &Variant| {
        let text =
            |price: &Price| format!("{} {} {:?} {}", price.currency, price.unit_minor, price.compare_at_minor, price.sales.len());
        variant.prices.iter().map(text).collect::<Vec<_>>()
    };
    let variants = &found.products[0].product.variants;
    assert_eq!(of(&variants[0]), ["EUR 1990 Some(2500) 1", "USD 2100 None 0"]);
    assert_eq!(of(&variants[1]), ["EUR 900 None 0", "USD 2100 None 0"], "a price of its own is not reduced by another's");
}

#[test]
fn signs_written_as_entities_are_read_in_a_text_without_tags_too() {
    let source = mapped("title = \"t\"\nbody = \"b\"");
    let text = r##"[{"t": "A", "b": "Dynex&#8482; &amp; Co&nbsp;\n\n#include <setjmp.h> & more &amp;amp;"}]"##;
    let (found, _) = read_as(&source, text);
    let Body::Html(body) = &details(&found, "a").body else { panic!("HTML") };
    assert_eq!(body, "<p>Dynex™ &amp; Co</p>\n<p>#include &lt;setjmp.h&gt; &amp; more &amp;amp;</p>");
    let declared = BulkSource { body_format: Some(sources::BodyFormat::Text), ..source };
    let (found, _) = read_as(&declared, text);
    let Body::Html(body) = &details(&found, "a").body else { panic!("HTML") };
    assert!(body.starts_with("<p>Dynex&amp;#8482; &amp;amp; Co"), "what is declared to be text is taken by the letter: {body}");
}

#[test]
fn what_is_wrong_in_a_line_is_told_at_its_column() {
    for (line, column, text, message) in [
        (r#"{"title": "A", "preis": 3}"#, 16, "\"preis\"", "unknown key `preis`"),
        (r#"{"title": "Ä", "price": "12,x"}"#, 25, "12,x", "`12,x` is not an amount"),
        (r#"{"title": "A", "price": 1.999}"#, 25, "1.999", "more decimals"),
        (r#"{"title": "A", "stock": -1}"#, 25, "-1", "invalid value"),
        (r#"{"title": "A", "tags": "x"}"#, 24, "\"x\"", "invalid type"),
        (r#"{"title": "A", "options": ["S"], "variants": [{"options": []}]}"#, 47, "{\"options\": []}", "0 values for 1 options"),
        (
            r#"{"title": "A", "options": ["S"], "variants": [{"options": ["x"], "prise": 1}]}"#,
            66,
            "\"prise\"",
            "unknown key `prise`",
        ),
        (r#"{"title": "A", "slug": "A b"}"#, 24, "A b", "cannot be an address"),
        (r#"{"title": "A", "tax_class": "luxury"}"#, 29, "luxury", "there is no tax class"),
        (r#"{"title": "A", "publish_at": "soon"}"#, 30, "soon", "is not a time"),
        (r#"{"title": "A", "quantity": {"min": 3, "max": 2}}"#, 28, "{\"min\": 3, \"max\": 2}", "nobody could buy that many"),
        (r#"{"title": "A", "redirects": ["x"]}"#, 30, "x", "is not an old address"),
        (r#"{"title": "A", "price": 2, "sales": [{"price": 3}]}"#, 48, "3", "not below the price"),
        (r#"{"title": "A", "prices": {"USD": 3}, "compare_at": 4}"#, 52, "4", "there is no price in EUR which this reduces"),
        (r#"{"title": "A", "sales": [{"price": 3}]}"#, 36, "3", "there is no price in EUR which this reduces"),
        (r#"{"title": "A", "price": 3, "prices": {"EUR": 2}}"#, 46, "2", "`price` is the price in EUR already"),
        (
            r#"{"title": "A", "compare_at": 9, "options": ["S"], "variants": [{"options": ["x"], "prices": {"EUR": 3}}]}"#,
            30,
            "9",
            "every variant has a price of its own",
        ),
        (r#"{"title": "A", "prices": {"XYZ": 3}}"#, 34, "3", "not a currency"),
        (r#"{"price": 3}"#, 1, "", "a product needs a title"),
    ] {
        let (found, problems) =
            read(BulkFormat::Jsonl, &format!("{{\"title\": \"First\"}}\n\n{line}\n{{\"title\": \"Last\"}}\n"));
        let told: Vec<_> = problems.all().iter().filter(|problem| problem.line == 3).collect();
        assert_eq!((told.len(), found.products.len()), (1, 2), "{line}: {told:?}");
        assert!(told[0].message.contains(message), "{line}: {:?}", told[0]);
        assert_eq!((told[0].column, told[0].text.as_str()), (column, text), "{line}: {:?}", told[0]);
        assert!(problems.has_errors());
    }
    for broken in ["{", "nonsense", "{\"title\": \"A\"} x", "[1]", "{\"title\": \"A\", }"] {
        let (_, problems) = read(BulkFormat::Jsonl, &format!("{{\"title\": \"First\"}}\n{broken}\n"));
        assert_eq!(problems.errors(), 1, "{broken}: {:?}", problems.all());
        assert_eq!(problems.all().iter().find(|one| one.message.contains("price")).map_or(1, |one| one.line), 1);
    }
}
