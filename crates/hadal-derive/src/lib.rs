//! `#[derive(Module)]`: see `hadal::nn::Module`.
#![forbid(unsafe_code)]

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Index, Member, parse_quote};

/// Derives `Module`: visits the fields in order, each under its name.
///
/// Every field must itself be a `Module`: tensors, layers, vectors and options of them, and plain settings (numbers,
/// `bool`, `String`), which hold no parameters. Others are left out with `#[module(skip)]`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput) -> Result<TokenStream, Error> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "Module can only be derived for structs"));
    };
    let mut members = Vec::new();
    let fields = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unnamed(fields) => fields.unnamed.iter().collect(),
        Fields::Unit => Vec::new(),
    };
    for (position, field) in fields.into_iter().enumerate() {
        if skipped(field)? {
            continue;
        }
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(Index::from(position)),
        };
        let name = match &field.ident {
            Some(name) => name.to_string().trim_start_matches("r#").to_owned(),
            None => position.to_string(),
        };
        members.push((member, name));
    }
    // A generic field type must be a module for the struct to be one.
    let parameters: Vec<_> = input.generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    let clause = input.generics.make_where_clause();
    for parameter in parameters {
        clause.predicates.push(parse_quote!(#parameter: ::hadal::nn::Module));
    }
    let visits = |method: &str, borrow: TokenStream| -> TokenStream {
        let method = format_ident!("{method}");
        members
            .iter()
            .map(|(member, name)| {
                quote! {
                    ::hadal::nn::Module::#method(#borrow self.#member, &::hadal::nn::join(path, #name), visitor);
                }
            })
            .collect()
    };
    let (shared, exclusive) = (visits("visit", quote!(&)), visits("visit_mut", quote!(&mut)));
    let constrained: TokenStream =
        members.iter().map(|(member, _)| quote! { ::hadal::nn::Module::constrain(&mut self.#member); }).collect();
    let smallest: TokenStream = members
        .iter()
        .map(|(member, _)| quote! { smallest = smallest.max(::hadal::nn::Module::min_batch_size(&self.#member)); })
        .collect();
    let name = &input.ident;
    let (implementation, generics, clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #implementation ::hadal::nn::Module for #name #generics #clause {
            fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &::hadal::Tensor)) {
                let _ = (path, &visitor);
                #shared
            }
            fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut ::hadal::Tensor)) {
                let _ = (path, &visitor);
                #exclusive
            }
            fn constrain(&mut self) {
                #constrained
            }
            #[allow(unused_mut)]
            fn min_batch_size(&self) -> usize {
                let mut smallest = 1;
                #smallest
                smallest
            }
        }
    })
}

fn skipped(field: &syn::Field) -> Result<bool, Error> {
    let mut skip = false;
    for attribute in &field.attrs {
        if attribute.path().is_ident("module") {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    skip = true;
                    Ok(())
                } else {
                    Err(meta.error("the only setting is `skip`"))
                }
            })?;
        }
    }
    Ok(skip)
}
